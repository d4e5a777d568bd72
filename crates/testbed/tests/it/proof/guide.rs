//! The examples of `docs/api.md` do what the guide says: they are run as they stand there, one after the other.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::system::{CONFIG, System, alert};

/// What one example may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The blocks of code of one language, in their order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

async fn run(system: &System, program: &[&str], script: &str) -> String {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(script).kill_on_drop(true);
    command.env("TOCSIN", system.topology.url()).env("TOKEN", system.topology.token());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("urn:tocsin:problem") || script.contains("refused"), "{script}\n{told}");
    told
}

#[tokio::test]
async fn the_examples_of_the_guide_work() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let system = System::start(|builder| builder.config_text(CONFIG)).await;
    for name in ["one", "two", "three"] {
        system.send(&alert(name, "firing"), name).await.unwrap();
    }
    system.wait_until_drained().await;

    let functions = blocks(&guide, "sh")[0];
    let (shell, python) = (blocks(&guide, "sh"), blocks(&guide, "python"));
    assert!(shell.len() >= 6 && python.len() >= 6, "{} and {}", shell.len(), python.len());
    let mut told = String::new();
    for block in &shell[1..] {
        told += &run(&system, &["bash", "-euo", "pipefail", "-c"], &format!("{functions}\n{block}")).await;
    }
    // Those of Python build on one another, as in a script.
    told += &run(&system, &["python3", "-c"], &python.join("\n")).await;
    for expected in
        ["\"incident_number\":1", "\"status\":\"acknowledged\"", "304", "event: incident", "invalid_parameter"]
    {
        assert!(told.contains(expected), "{expected} is missing in\n{told}");
    }
    system.topology.stop().await.unwrap();
}
