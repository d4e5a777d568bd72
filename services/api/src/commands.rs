//! Having something done: the api asks the worker by a command, and waits a moment for what becomes of it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use tocsin_bus::BusError;
use tocsin_service::http::Problem;
use tocsin_service::telemetry::trace;
use tocsin_shared::{Action, Command, CommandId, CommandOutcome, ErrorCode, IncidentId, SilenceId, TraceContext};
use tocsin_store::Store;
use tracing::Instrument as _;
use utoipa::ToSchema;

use crate::RETRY_AFTER_SECS;
use crate::caller::Caller;
use crate::openapi::schemas;

/// Longest wait for an outcome; after that the caller is told that the command is accepted.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(2);

/// The way to the worker and back. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    way: tocsin_bus::Commands,
    /// Whose reads show from then on what was done.
    store: Store,
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
    count: Option<usize>,
}

impl Commands {
    pub(crate) const fn new(way: tocsin_bus::Commands, store: Store) -> Self {
        Self { way, store }
    }

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
        self.way.send(&command).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot send a command");
            match error {
                BusError::Json(_) => Problem::new(ErrorCode::Internal),
                _ => Problem::new(ErrorCode::RedisUnavailable).retry_after(RETRY_AFTER_SECS),
            }
        })?;
        let outcome = self.way.outcome(id, OUTCOME_TIMEOUT).await;
        self.store.has_acted();
        match outcome {
            Ok(Some(CommandOutcome::Done { incident, silence, changed, count })) => {
                Ok(Asked { id, done: Some(Done { incident, silence, changed, count }) })
            }
            Ok(Some(CommandOutcome::Rejected { code, detail })) => Err(Problem::new(code).detail(detail)),
            Ok(None) => Ok(Asked { id, done: None }),
            Err(BusError::Json(error)) => {
                tracing::error!(%error, "an outcome cannot be read");
                Err(Problem::new(ErrorCode::Internal))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot wait for an outcome");
                Ok(Asked { id, done: None })
            }
        }
    }
}

/// The body of an answer without a view: to what is only accepted, or of which there is nothing to show.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asked)]
pub(crate) struct AskedView {
    #[schema(value_type = schemas::Id)]
    command_id: CommandId,
    /// `accepted` or `done`.
    status: &'static str,
    /// Whether anything is now other than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    /// How many things, where it was about some of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

impl Asked {
    /// The answer to the caller: if it is done, `status` and the view of what there is now; else 202.
    pub(crate) fn answer(&self, status: StatusCode, view: Option<impl Serialize>) -> HttpResponse {
        let command_id = self.id;
        match (self.done, view) {
            (Some(_), Some(view)) => HttpResponse::build(status).json(view),
            (Some(Done { changed, count, .. }), None) => {
                let view = AskedView { command_id, status: "done", changed: Some(changed), count };
                HttpResponse::build(status).json(view)
            }
            (None, _) => {
                let view = AskedView { command_id, status: "accepted", changed: None, count: None };
                HttpResponse::Accepted().json(view)
            }
        }
    }
}
