//! What `PagerDuty`'s clients read: its own shapes, not those of Tocsin
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview>).

use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError as _};
use serde::Serialize;
use tocsin_service::http::Problem;

use crate::sources::Accepted;

#[derive(Serialize)]
struct Success<'a> {
    status: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'a str,
    message: &'a str,
    errors: [&'a str; 1],
}

/// Tells the client that its event is durable.
pub(super) fn accepted(accepted: &Accepted) -> HttpResponse {
    HttpResponse::Accepted().json(Success {
        status: "success",
        message: "Event processed",
        dedup_key: accepted.dedup_key.as_deref(),
    })
}

/// Tells the client why its event was refused. `PagerDuty`'s word for every fault of the event is `invalid event`; other
/// refusals are called by the code of the problem. Clients repeat 429 and 5xx only.
pub(super) fn refused(problem: &Problem) -> HttpResponse {
    let (code, message) = (problem.code(), problem.message());
    let failure = match code.status() {
        400 => Failure { status: "invalid event", message: "Event object is invalid", errors: [message] },
        _ => Failure { status: code.as_str(), message: code.title(), errors: [message] },
    };
    let mut response = HttpResponse::build(problem.status_code());
    if let Some(retry_after) = problem.error_response().headers().get(RETRY_AFTER) {
        response.insert_header((RETRY_AFTER, retry_after));
    }
    response.json(failure)
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use tocsin_shared::{ErrorCode, EventId};

    use super::*;

    #[expect(clippy::future_not_send, reason = "an answer belongs to the thread that writes it")]
    async fn told(response: HttpResponse) -> serde_json::Value {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        let body: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        serde_json::json!({"status": status, "retry_after": retry_after, "body": body})
    }

    #[actix_web::test]
    async fn clients_are_answered_in_the_words_of_pagerduty() {
        let event = Accepted {
            source: "pagerduty",
            received: 1,
            event_id: EventId::of_delivery("default", "one"),
            dedup_key: Some("srv01/http".to_owned()),
        };
        let invalid = Problem::new(ErrorCode::InvalidPayload).detail("payload.summary: is missing or blank");
        let later = Problem::new(ErrorCode::RateLimited).retry_after(7);
        insta::assert_json_snapshot!([
            told(accepted(&event)).await,
            told(refused(&invalid)).await,
            told(refused(&Problem::new(ErrorCode::InvalidKey))).await,
            told(refused(&later)).await,
        ]);
    }
}
