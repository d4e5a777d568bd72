//! The local Slack inbox of `up`: takes what an incoming webhook takes, and shows it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use serde_json::Value;

use super::error::CliError;

/// How many messages are kept; the oldest go first.
const KEPT_MESSAGES: usize = 1_000;

/// One message as it came.
#[derive(Debug, Clone, Serialize)]
struct Message {
    /// Milliseconds since 1970.
    at: u128,
    body: Value,
}

type Messages = Mutex<VecDeque<Message>>;

/// Serves it on this port until the process is asked to stop.
pub(crate) async fn serve(port: u16) -> Result<ExitCode, CliError> {
    let messages = web::Data::new(Messages::default());
    let app = move || {
        App::new()
            .app_data(messages.clone())
            .route("/", web::get().to(page))
            .route("/messages", web::get().to(list))
            .route("/ready", web::get().to(HttpResponse::Ok))
            .route("/slack", web::post().to(take))
    };
    let run = async { HttpServer::new(app).workers(1).shutdown_timeout(1).bind(("127.0.0.1", port))?.run().await };
    run.await.map_err(|source| CliError::Run { program: "slack-inbox".to_owned(), source })?;
    Ok(ExitCode::SUCCESS)
}

/// Slack answers a message that it takes with the text `ok`, and one that is not JSON with `invalid_payload`.
async fn take(messages: web::Data<Messages>, body: web::Bytes) -> HttpResponse {
    let Ok(body) = serde_json::from_slice(&body) else {
        return HttpResponse::BadRequest().body("invalid_payload");
    };
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    if messages.len() == KEPT_MESSAGES {
        messages.pop_front();
    }
    messages.push_back(Message { at, body });
    HttpResponse::Ok().body("ok")
}

async fn list(messages: web::Data<Messages>) -> HttpResponse {
    let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    HttpResponse::Ok().json(&*messages)
}

async fn page(messages: web::Data<Messages>) -> HttpResponse {
    let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(render(&messages))
}

fn render(messages: &VecDeque<Message>) -> String {
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Slack inbox</title>\
         <style>body{{font:15px sans-serif;max-width:50em;margin:2em auto}}pre{{background:#f4f4f4;padding:1em;\
         white-space:pre-wrap}}</style><h1>Slack inbox</h1><p>{} messages, the latest first. \
         <a href=/messages>As JSON</a>.</p>",
        messages.len()
    );
    for message in messages.iter().rev() {
        let text = message.body.get("text").and_then(Value::as_str).unwrap_or("(no text)");
        let whole = serde_json::to_string_pretty(&message.body).unwrap_or_default();
        let _ = write!(
            html,
            "<h2>{}</h2><details><summary>The whole message</summary><pre>{}</pre></details>",
            escape(text),
            escape(&whole)
        );
    }
    html
}

/// Alerts come from outside; their text must stay text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_an_alert_does_not_become_markup() {
        let body = serde_json::json!({"text": "<script>alert(1)</script>"});
        let html = render(&VecDeque::from([Message { at: 0, body }]));
        assert!(!html.contains("<script>"), "{html}");
    }
}
