//! Having something done: the api asks the worker by a command, and waits a moment for what becomes of it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use tocsin_bus::{Outcomes, Publisher};
use tocsin_service::http::Problem;
use tocsin_service::telemetry::trace;
use tocsin_shared::{Action, Command, CommandId, CommandOutcome, ErrorCode, IncidentId, SilenceId, TraceContext};
use tracing::Instrument as _;

use crate::RETRY_AFTER_SECS;
use crate::caller::Caller;

/// Longest wait for an outcome; after that the caller is told that the command is accepted.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(2);

/// The way to the worker and back. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    pub(crate) publisher: Publisher,
    pub(crate) outcomes: Outcomes,
}

/// A command that is on its way or done.
#[derive(Debug)]
pub(crate) struct Asked {
    id: CommandId,
    /// `None` while nobody knows.
    pub(crate) done: Option<Done>,
}

/// What was done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) incident: Option<IncidentId>,
    pub(crate) silence: Option<SilenceId>,
    changed: bool,
}

impl Commands {
    /// Asks for something on behalf of a caller. An action that is refused is a problem; one whose outcome does not come in
    /// time is not, for it will be done.
    pub(crate) async fn ask(&self, caller: &Caller, action: Action) -> Result<Asked, Problem> {
        let mut command = caller.command(action)?;
        let span = tracing::info_span!("command", command.id = %command.id, command.action = command.action.name());
        if let Some(parent) = caller.parent {
            trace::continue_from(&span, parent);
        }
        command.trace = trace::context_of(&span, caller.parent.unwrap_or_else(TraceContext::random));
        self.send(command).instrument(span).await
    }

    async fn send(&self, command: Command) -> Result<Asked, Problem> {
        let id = command.id;
        let values = command.to_values().map_err(|error| {
            tracing::error!(%error, "a command cannot be written");
            Problem::new(ErrorCode::Internal)
        })?;
        self.publisher.command(values).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot send a command");
            Problem::new(ErrorCode::RedisUnavailable).retry_after(RETRY_AFTER_SECS)
        })?;
        let text = match self.outcomes.wait(id, OUTCOME_TIMEOUT).await {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Asked { id, done: None }),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot wait for an outcome");
                return Ok(Asked { id, done: None });
            }
        };
        match serde_json::from_str(&text) {
            Ok(CommandOutcome::Done { incident, silence, changed }) => {
                Ok(Asked { id, done: Some(Done { incident, silence, changed }) })
            }
            Ok(CommandOutcome::Rejected { code, detail }) => Err(Problem::new(code).detail(detail)),
            Err(error) => {
                tracing::error!(%error, "an outcome cannot be read");
                Err(Problem::new(ErrorCode::Internal))
            }
        }
    }
}

/// The body of an answer without a view: to what is only accepted, or of which there is nothing to show.
#[derive(Debug, Serialize)]
struct AskedView {
    command_id: CommandId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
}

impl Asked {
    /// The answer to the caller: if it is done, `status` and the view of what there is now; else 202.
    pub(crate) fn answer(&self, status: StatusCode, view: Option<impl Serialize>) -> HttpResponse {
        let command_id = self.id;
        match (self.done, view) {
            (Some(_), Some(view)) => HttpResponse::build(status).json(view),
            (Some(Done { changed, .. }), None) => {
                HttpResponse::build(status).json(AskedView { command_id, status: "done", changed: Some(changed) })
            }
            (None, _) => HttpResponse::Accepted().json(AskedView { command_id, status: "accepted", changed: None }),
        }
    }
}
