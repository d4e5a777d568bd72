//! `verify`: whether the state in Postgres is as it must be.

use std::process::ExitCode;

use serde_json::json;
use tocsin_service::config::{Environment, common};
use tocsin_store::{INVARIANTS, Violation};

/// Says what breaks an invariant: on standard error, or all of it on standard output as JSON. Exit code 1 if anything does.
pub(crate) async fn verify(env: &mut Environment, as_json: bool) -> ExitCode {
    let url = env.get(&common::DATABASE_URL);
    if let Err(error) = env.finish() {
        return tocsin_service::report(&error);
    }
    let violations = match tocsin_store::verify(&url).await {
        Ok(violations) => violations,
        Err(error) => {
            eprintln!("{}", tocsin_service::with_causes(&error));
            eprintln!("  {} names the database; nothing was found out", common::DATABASE_URL.name());
            return ExitCode::FAILURE;
        }
    };
    if as_json {
        println!("{}", to_json(&violations));
    } else if violations.is_empty() {
        println!("ok: {} invariants hold", INVARIANTS.len());
    } else {
        for violation in &violations {
            eprintln!("{}", to_text(violation));
        }
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn to_json(violations: &[Violation]) -> serde_json::Value {
    let violations = violations.iter().map(|Violation { invariant, count, examples }| {
        json!({"name": invariant.name, "rule": invariant.rule, "count": count, "examples": examples})
    });
    json!({"invariants": INVARIANTS.len(), "violations": violations.collect::<Vec<_>>()})
}

fn to_text(Violation { invariant, count, examples }: &Violation) -> String {
    format!("violated: {}: {}\n  {count} times: {}", invariant.name, invariant.rule, examples.join(", "))
}
