//! What every service answers of itself. It is served beside the routes of the API (`tocsin_service::http`), and described with them.

use serde_json::json;
use utoipa::ToSchema;

use crate::openapi::{Doc, Table};

/// Adds the descriptions.
pub(super) fn add(table: &mut Table) {
    let ready = json!({"status": "ready", "database": "ok", "redis": "error"});
    let not_ready = json!({"status": "not ready", "database": "error", "redis": "ok"});
    table
        .of_every_service(
            "/health",
            Doc::of_process("health", "Whether the process lives").gives::<Health>(
                200,
                "It does.",
                json!({"status": "ok", "version": "0.1.0"}),
            ),
        )
        .of_every_service(
            "/ready",
            Doc::of_process("ready", "Whether the process can serve: whether the database answers")
                .gives::<Ready>(200, "It can, perhaps without Redis.", ready)
                .gives::<Ready>(503, "It cannot, or it is about to end.", not_ready),
        )
        .of_every_service(
            "/metrics",
            Doc::of_process("metrics", "What it measures, for Prometheus").gives_text(
                "text/plain; version=0.0.4; charset=utf-8",
                "The metrics.",
                "tocsin_api_event_streams 3\n",
            ),
        );
}

/// That the process lives.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described")]
struct Health {
    status: Liveness,
    version: String,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum Liveness {
    Ok,
}

/// Whether the process can serve.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described")]
struct Ready {
    status: Readiness,
    database: Dependency,
    redis: Dependency,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum Readiness {
    Ready,
    #[schema(rename = "not ready")]
    NotReady,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum Dependency {
    Ok,
    Error,
}
