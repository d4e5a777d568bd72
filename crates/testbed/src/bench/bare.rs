//! What Tocsin's ingest is measured against: the same HTTP server with nothing behind it.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;

/// Where it answers 200 as soon as it runs.
pub(super) const READY: &str = "/ready";

/// What a bare server does with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// Reads it.
    Reads,
    /// Reads it and parses it as alerts of Alertmanager's API.
    Parses,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "parsing is what is measured")]
struct Alert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// Answers 200 to whatever it understands, on `port` and with so many threads, until the process is asked to stop.
///
/// # Errors
/// When the port cannot be had, or the server fails.
pub async fn serve(bare: Bare, port: u16, workers: usize) -> io::Result<()> {
    let app = move || match bare {
        Bare::Reads => App::new().route(READY, web::get().to(HttpResponse::Ok)).default_service(web::to(read)),
        Bare::Parses => App::new().route(READY, web::get().to(HttpResponse::Ok)).default_service(web::to(parse)),
    };
    HttpServer::new(app).workers(workers).shutdown_timeout(1).bind((Ipv4Addr::LOCALHOST, port))?.run().await
}

async fn read(_body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn parse(body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<Vec<Alert>>(&body) {
        Ok(_alerts) => HttpResponse::Ok().finish(),
        Err(error) => HttpResponse::BadRequest().body(error.to_string()),
    }
}
