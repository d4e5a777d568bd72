//! Silences: shown to readers, made and ended by responders.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Deserialize;
use serde_json::json;
use tocsin_service::config::duration;
use tocsin_service::http::Problem;
use tocsin_shared::command::NewSilence;
use tocsin_shared::{Action, ErrorCode, Matchers, Recurrence, Silence, SilenceId};
use tocsin_store::Store;
use utoipa::ToSchema;

use super::incident_find;
use crate::auth::{Reader, Responder};
use crate::body::{Body, Nothing};
use crate::commands::{Asked, Commands};
use crate::openapi::{Doc, Table, examples, params, schemas};
use crate::params::Params;
use crate::unavailable;
use crate::views::{ListView, SilenceView};

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    let reads = |id, summary| Doc::reads(id, "silences", summary);
    let responds = |id, summary| Doc::responds(id, "silences", summary);
    let include_expired = || {
        let about = "Those that are over as well.";
        params::query("include_expired", about, &json!({"type": "boolean", "default": false}))
    };
    table
        .get(
            "/api/v1/silences",
            list,
            reads("listSilences", "Silences that are in force or to come")
                .with(include_expired())
                .lists::<SilenceView>("The silences.", &examples::silence()),
        )
        .post(
            "/api/v1/silences",
            create,
            responds("createSilence", "Silences alerts")
                .takes::<NewSilenceBody>(&examples::new_silence())
                .gives::<SilenceView>(201, "The silence.", examples::silence()),
        )
        .get(
            "/api/v1/silences/{id}",
            detail,
            reads("getSilence", "A silence").of_uuid("The silence's id.").gives::<SilenceView>(
                200,
                "The silence.",
                examples::silence(),
            ),
        )
        .delete(
            "/api/v1/silences/{id}",
            delete,
            responds("deleteSilence", "Says that a silence was none")
                .of_uuid("The silence's id.")
                .gives_nothing(204, "It is gone."),
        )
        .post(
            "/api/v1/silences/{id}/end",
            end,
            responds("endSilence", "Ends a silence now; it stays in the list")
                .of_uuid("The silence's id.")
                .may_take::<Nothing>(&json!({}))
                .gives::<SilenceView>(200, "The silence as it is now.", examples::silence()),
        )
        .post(
            "/api/v1/incidents/{id}/silence",
            silence_incident,
            Doc::responds("silenceIncident", "incidents", "Silences what the alerts of an incident have in common")
                .of_incident()
                .takes::<Duration>(&json!({"duration": "1h"}))
                .gives::<SilenceView>(201, "The silence.", examples::silence()),
        );
}

/// A silence to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSilence)]
#[serde(deny_unknown_fields)]
struct NewSilenceBody {
    #[schema(value_type = schemas::Matchers)]
    matchers: Matchers,
    /// At once, unless it is given.
    starts_at: Option<DateTime<Utc>>,
    /// In the future, and after `starts_at`.
    ends_at: DateTime<Utc>,
    #[schema(value_type = Option<schemas::Recurrence>)]
    recurrence: Option<Recurrence>,
    #[serde(default)]
    #[schema(value_type = schemas::Comment)]
    comment: String,
}

impl From<NewSilenceBody> for NewSilence {
    fn from(body: NewSilenceBody) -> Self {
        // What the store keeps of a time.
        let kept = |time: DateTime<Utc>| time.trunc_subsecs(6);
        Self {
            matchers: body.matchers,
            starts_at: body.starts_at.map(kept),
            ends_at: kept(body.ends_at),
            recurrence: body.recurrence,
            comment: body.comment,
        }
    }
}

async fn list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let include_expired = params.take("include_expired")?.unwrap_or(false);
    let window = params.window()?;
    params.finish()?;
    let silences = store.silence_list(include_expired).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<SilenceView>::of_all(silences, &window, |silence| silence.id)))
}

async fn detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(SilenceView::from(find(&store, &id).await?)))
}

async fn create(
    Responder(caller): Responder,
    Body(body): Body<NewSilenceBody>,
    commands: web::Data<Commands>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let asked = commands.ask(&caller, Action::Silence { silence: body.into() }).await?;
    Ok(asked.answer(StatusCode::CREATED, silence_now(&store, &asked).await))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ForHowLong)]
#[serde(deny_unknown_fields)]
struct Duration {
    /// Such as `1h` or `30m`.
    #[schema(value_type = schemas::SilenceDuration)]
    duration: String,
}

/// Silences what the alerts of an incident have in common.
async fn silence_incident(
    Responder(caller): Responder,
    id: web::Path<String>,
    Body(Duration { duration }): Body<Duration>,
    commands: web::Data<Commands>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let seconds = duration::parse(&duration).and_then(|duration| u32::try_from(duration.as_secs()).ok());
    let duration_s = seconds.ok_or_else(|| {
        Problem::new(ErrorCode::InvalidPayload).detail("duration: write it as 30m, 1h or 1d, up to 30d")
    })?;
    let incident = incident_find(&store.primary(), &id).await?.incident.id;
    let asked = commands.ask(&caller, Action::SilenceIncident { incident, duration_s }).await?;
    Ok(asked.answer(StatusCode::CREATED, silence_now(&store, &asked).await))
}

/// Ends it now; it stays in the list of those that are over.
async fn end(
    Responder(caller): Responder,
    id: web::Path<String>,
    _: Body<Nothing>,
    commands: web::Data<Commands>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let id = find(&store.primary(), &id).await?.id;
    let asked = commands.ask(&caller, Action::SilenceEnd { id }).await?;
    Ok(asked.answer(StatusCode::OK, silence_now(&store, &asked).await))
}

async fn delete(
    Responder(caller): Responder,
    id: web::Path<String>,
    commands: web::Data<Commands>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let id = find(&store.primary(), &id).await?.id;
    let asked = commands.ask(&caller, Action::SilenceDelete { id }).await?;
    Ok(match asked.done {
        Some(_) => HttpResponse::NoContent().finish(),
        None => asked.answer(StatusCode::ACCEPTED, None::<()>),
    })
}

async fn find(store: &Store, id: &str) -> Result<Silence, Problem> {
    let silence = match id.parse::<SilenceId>() {
        Ok(id) => store.silence_get(id).await.map_err(unavailable)?,
        Err(_) => None,
    };
    silence.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no silence has this id"))
}

/// The silence that a command was about, as it is now. If it cannot be read, the command is no less done.
async fn silence_now(store: &Store, asked: &Asked) -> Option<SilenceView> {
    match store.silence_get(asked.done?.silence?).await {
        Ok(silence) => silence.map(SilenceView::from),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot show what a command has done");
            None
        }
    }
}
