//! What responders do to incidents.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tocsin_service::http::Problem;
use tocsin_shared::{Action, ErrorCode, IncidentId, IncidentSeverity, IncidentStatus, Labels};
use tocsin_store::Store;
use utoipa::ToSchema;

use super::incident_find;
use crate::auth::{Admin, Responder};
use crate::body::{Body, Nothing};
use crate::caller::Caller;
use crate::commands::{Asked, Commands};
use crate::openapi::{Doc, Table, examples, schemas};
use crate::views::IncidentView;

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    let on_one = |id, summary| Doc::responds(id, "incidents", summary).of_incident();
    let with_incident =
        |doc: Doc| doc.gives::<IncidentView>(200, "Done: the incident as it is now.", examples::incident());
    table
        .post(
            "/api/v1/incidents",
            declare,
            Doc::responds("declareIncident", "incidents", "Declares an incident that no alert tells of")
                .takes::<Declaration>(&examples::declaration())
                .gives::<IncidentView>(201, "The incident.", examples::incident()),
        )
        .patch(
            "/api/v1/incidents/{id}",
            change,
            with_incident(on_one("changeIncident", "Changes an incident's status, its severity, or both"))
                .about("Both are two actions, one after the other: if the second is refused, the first is done.")
                .takes::<Change>(&json!({"status": "acknowledged", "severity": "high"})),
        )
        .post(
            "/api/v1/incidents/{id}/acknowledge",
            acknowledge,
            with_incident(on_one("acknowledgeIncident", "Takes an incident")).may_take::<Nothing>(&json!({})),
        )
        .post(
            "/api/v1/incidents/{id}/resolve",
            resolve,
            with_incident(on_one("resolveIncident", "Says that an incident is over"))
                .may_take::<Closing>(&json!({"note": "The disk was full."})),
        )
        .post(
            "/api/v1/incidents/{id}/cancel",
            cancel,
            with_incident(on_one("cancelIncident", "Says that an incident was none"))
                .may_take::<Closing>(&json!({"note": "A test of the pager."})),
        )
        .post(
            "/api/v1/incidents/{id}/reopen",
            reopen,
            with_incident(on_one("reopenIncident", "Says that an incident is not over, or gives it back"))
                .may_take::<Nothing>(&json!({})),
        )
        .post(
            "/api/v1/incidents/{id}/notes",
            note,
            with_incident(on_one("noteIncident", "Writes into an incident's timeline"))
                .takes::<Note>(&json!({"text": "The vendor is informed."})),
        )
        .post(
            "/api/v1/dead-letters/{id}/redrive",
            redrive,
            Doc::administers("redriveDeadLetter", "dead letters", "Has what could not be applied tried again")
                .of_number("The dead letter's number.")
                .may_take::<Nothing>(&json!({}))
                .gives_done(examples::done(None)),
        );
}

/// Where a handler finds what it needs.
type Desk = (web::Data<Commands>, web::Data<Store>);

/// What can be said when an incident is closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Closing {
    #[schema(value_type = Option<schemas::Text>)]
    note: Option<String>,
}

/// Something to remember.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    #[schema(value_type = schemas::Text)]
    text: String,
}

/// What shall change: at least one of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    #[schema(value_type = Option<schemas::IncidentStatus>)]
    status: Option<IncidentStatus>,
    #[schema(value_type = Option<schemas::IncidentSeverity>)]
    severity: Option<IncidentSeverity>,
}

/// An incident that no alert tells of.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewIncident)]
#[serde(deny_unknown_fields)]
struct Declaration {
    #[schema(value_type = schemas::Title)]
    title: String,
    #[schema(value_type = Option<schemas::Text>)]
    summary: Option<String>,
    #[schema(value_type = schemas::IncidentSeverity)]
    severity: IncidentSeverity,
    #[serde(default)]
    #[schema(value_type = schemas::NewLabels)]
    labels: Labels,
}

async fn acknowledge(
    Responder(caller): Responder,
    id: web::Path<String>,
    _: Body<Nothing>,
    desk: Desk,
) -> Result<HttpResponse, Problem> {
    act(&caller, &id, &desk, |incident| Action::Acknowledge { incident }).await
}

async fn resolve(
    Responder(caller): Responder,
    id: web::Path<String>,
    Body(Closing { note }): Body<Closing>,
    desk: Desk,
) -> Result<HttpResponse, Problem> {
    act(&caller, &id, &desk, |incident| Action::Resolve { incident, note }).await
}

async fn cancel(
    Responder(caller): Responder,
    id: web::Path<String>,
    Body(Closing { note }): Body<Closing>,
    desk: Desk,
) -> Result<HttpResponse, Problem> {
    act(&caller, &id, &desk, |incident| Action::Cancel { incident, note }).await
}

async fn reopen(
    Responder(caller): Responder,
    id: web::Path<String>,
    _: Body<Nothing>,
    desk: Desk,
) -> Result<HttpResponse, Problem> {
    act(&caller, &id, &desk, |incident| Action::Reopen { incident }).await
}

async fn note(
    Responder(caller): Responder,
    id: web::Path<String>,
    Body(Note { text }): Body<Note>,
    desk: Desk,
) -> Result<HttpResponse, Problem> {
    act(&caller, &id, &desk, |incident| Action::Note { incident, text }).await
}

/// One action on one incident.
async fn act(
    caller: &Caller,
    id: &str,
    (commands, store): &Desk,
    action: impl FnOnce(IncidentId) -> Action,
) -> Result<HttpResponse, Problem> {
    let incident = incident_find(&store.primary(), id).await?.incident.id;
    let asked = commands.ask(caller, action(incident)).await?;
    Ok(asked.answer(StatusCode::OK, incident_now(store, &asked).await))
}

/// The incident that a command was about, as it is now. If it cannot be read, the command is no less done.
async fn incident_now(store: &Store, asked: &Asked) -> Option<IncidentView> {
    match store.incident_get(asked.done?.incident?).await {
        Ok(record) => record.map(IncidentView::from),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot show what a command has done");
            None
        }
    }
}

/// `PATCH`: one action for the status, one for the severity, if both are given in the order in which both are possible.
async fn change(
    Responder(caller): Responder,
    id: web::Path<String>,
    Body(Change { status, severity }): Body<Change>,
    (commands, store): Desk,
) -> Result<HttpResponse, Problem> {
    let incident = incident_find(&store.primary(), &id).await?.incident.id;
    let by_status = status.map(|status| match status {
        IncidentStatus::Triggered => Action::Reopen { incident },
        IncidentStatus::Acknowledged => Action::Acknowledge { incident },
        IncidentStatus::Resolved => Action::Resolve { incident, note: None },
        IncidentStatus::Canceled => Action::Cancel { incident, note: None },
    });
    let by_severity = severity.map(|severity| Action::SetSeverity { incident, severity });
    let in_order =
        if status.is_some_and(IncidentStatus::is_open) { [by_status, by_severity] } else { [by_severity, by_status] };
    let mut asked = None;
    for action in in_order.into_iter().flatten() {
        asked = Some(commands.ask(&caller, action).await?);
    }
    let asked = asked
        .ok_or_else(|| Problem::new(ErrorCode::InvalidPayload).detail("body: give a status, a severity, or both"))?;
    Ok(asked.answer(StatusCode::OK, incident_now(&store, &asked).await))
}

/// `POST /api/v1/incidents`.
async fn declare(
    Responder(caller): Responder,
    Body(Declaration { title, summary, severity, labels }): Body<Declaration>,
    (commands, store): Desk,
) -> Result<HttpResponse, Problem> {
    let asked = commands.ask(&caller, Action::Declare { title, summary, severity, labels }).await?;
    Ok(asked.answer(StatusCode::CREATED, incident_now(&store, &asked).await))
}

async fn redrive(
    Admin(caller): Admin,
    id: web::Path<String>,
    _: Body<Nothing>,
    commands: web::Data<Commands>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Problem::new(ErrorCode::NotFound).detail("no dead letter has this id"))?;
    let asked = commands.ask(&caller, Action::Redrive { dead_letters: vec![id] }).await?;
    Ok(asked.answer(StatusCode::OK, None::<()>))
}
