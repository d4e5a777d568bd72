//! What the API says of itself is true: openapi-spec-validator finds `/openapi.json` to be `OpenAPI`, and schemathesis sends what it
//! allows and what it forbids, and compares what comes back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tocsin_testbed::http;
use tokio::process::Command;

use super::system::{CONFIG, System, alert};

/// What a run may take on a busy machine; it is a fifth of that on one of two cores that does nothing else.
const PATIENCE: Duration = Duration::from_mins(5);

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A system whose token may do everything, as often as it likes.
async fn start() -> System {
    let config = CONFIG.replace("[read, respond]", "[admin]").replace("api: {", "api: {limit: {per_minute: 1000000}, ");
    System::start(|builder| builder.config_text(config)).await
}

/// Whether the description is what it says that it is: `OpenAPI` 3.1.
async fn validate(system: &System, folder: &Path) {
    let validator = in_crate("../../.tools/venv/bin/openapi-spec-validator");
    assert!(validator.exists(), "the clients are not installed; run `./dev clients`");
    let response = http::client().unwrap().get(format!("{}/openapi.json", system.topology.url())).send().await.unwrap();
    let document: serde_json::Value = response.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut broken = document.clone();
    broken["paths"]["/api/v1/incidents"]["get"]["responses"]["200"] = "no response".into();
    for (document, is_valid) in [(document, true), (broken, false)] {
        let file = folder.join("openapi.json");
        tokio::fs::write(&file, document.to_string()).await.unwrap();
        let mut command = Command::new(&validator);
        command.args(["--schema", "3.1"]).arg(&file).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), is_valid, "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn the_api_does_what_its_description_says() {
    let schemathesis = in_crate("../../.tools/venv/bin/schemathesis");
    assert!(schemathesis.exists(), "the clients are not installed; run `./dev clients`");
    let system = start().await;
    for name in ["one", "two", "three"] {
        system.send(&alert(name, "firing"), name).await.unwrap();
    }
    system.wait_until_drained().await;

    let folder = tempfile::tempdir().unwrap();
    validate(&system, folder.path()).await;
    let mut command = Command::new(schemathesis);
    command
        .arg("--config-file")
        .arg(in_crate("tests/clients/schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", system.topology.url()))
        .args(["--checks", "all"])
        // A stream has no end that could be waited for.
        .args(["--exclude-path", "/api/v1/events"])
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", system.topology.token()))
        // It keeps notes where it runs.
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", in_crate("tests/clients"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("No issues found"), "{told}");

    system.assert_consistent().await;
    let health = http::client().unwrap().get(format!("{}/api/v1/system", system.topology.url()));
    assert_eq!(health.bearer_auth(system.topology.token()).send().await.unwrap().status(), 200);
    system.topology.stop().await.unwrap();
}
