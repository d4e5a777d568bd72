//! `tocsin-worker verify`, as an operator or a script meets it.

use std::process::Output;

use serde_json::Value;
use tocsin_testbed::topology::Service;
use tocsin_testbed::{Tenant, programs};
use tokio::process::Command;

async fn verify(tenant: &Tenant, args: &[&str]) -> Output {
    let mut command = Command::new(programs::service(Service::Worker).unwrap());
    command.arg("verify").args(args).env("TOCSIN_DATABASE_URL", tenant.database_url_for(Service::Worker));
    command.output().await.unwrap()
}

#[tokio::test]
async fn verify_ends_with_1_and_names_what_is_broken() {
    let tenant = Tenant::shared().await.unwrap();
    let whole = verify(&tenant, &[]).await;
    assert!(whole.status.success());
    assert!(String::from_utf8(whole.stdout).unwrap().starts_with("ok: "));

    let id = "01a20c88-230d-76a6-af0d-ea19a59ac070";
    let insert = format!(
        "INSERT INTO incidents (id, title, status, severity, group_key, labels, alert_count, firing_critical, \
         firing_warning, firing_info, triggered_at, resolved_at, updated_at, version) \
         VALUES ('{id}', 'Disk', 'resolved', 'low', 'disk', '{{}}', 0, 0, 0, 0, now(), now(), now(), 0)"
    );
    tenant.sql(&insert).await.unwrap();
    let broken = verify(&tenant, &[]).await;
    assert_eq!(broken.status.code(), Some(1));
    let told = String::from_utf8(broken.stderr).unwrap();
    assert!(told.contains("version-from-one") && told.contains(id), "{told}");

    let broken = verify(&tenant, &["--json"]).await;
    assert_eq!(broken.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert!(told["invariants"].as_u64().unwrap() > 10, "{told}");
    let violations = told["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 1, "{told}");
    assert_eq!((&violations[0]["name"], &violations[0]["count"]), (&"version-from-one".into(), &1.into()));
    assert_eq!(violations[0]["examples"][0], id);
}
