//! What explains the state: the decisions about each event, and what could not be applied.

use actix_web::{HttpResponse, web};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;
use tocsin_store::Store;

use super::{alert_find, incident_find};
use crate::auth::Reader;
use crate::openapi::{Doc, Table, examples};
use crate::params::Params;
use crate::unavailable;
use crate::views::{DeadLetterView, DecisionView, ListView};

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    table
        .get(
            "/api/v1/alerts/{id}/explain",
            alert,
            Doc::reads("explainAlert", "alerts", "Why an alert is as it is: the newest 250 decisions, newest first")
                .of_uuid("The alert's id.")
                .lists::<DecisionView>("The decisions.", &examples::decision()),
        )
        .get(
            "/api/v1/incidents/{id}/explain",
            incident,
            Doc::reads(
                "explainIncident",
                "incidents",
                "Why an incident is as it is: the newest 250 decisions, newest first",
            )
            .of_incident()
            .lists::<DecisionView>("The decisions.", &examples::decision()),
        )
        .get(
            "/api/v1/dead-letters",
            dead_letters,
            Doc::reads("listDeadLetters", "dead letters", "What could not be applied, newest first")
                .lists::<DeadLetterView>("The dead letters.", &examples::dead_letter()),
        )
        .get(
            "/api/v1/dead-letters/{id}",
            dead_letter,
            Doc::reads("getDeadLetter", "dead letters", "One thing that could not be applied")
                .of_number("The dead letter's number.")
                .gives::<DeadLetterView>(200, "The dead letter.", examples::dead_letter()),
        );
}

/// The newest 250 decisions about an alert's events, newest first.
async fn alert(
    _: Reader,
    id: web::Path<String>,
    mut params: Params,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let window = params.window::<usize>()?;
    params.finish()?;
    let id = alert_find(&store, &id).await?.id;
    let decisions = store.alert_explain(id).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(numbered::<DecisionView, _>(decisions, &window)))
}

/// The newest 250 decisions about an incident, and about its alerts while they belonged to it, newest first.
async fn incident(
    _: Reader,
    id: web::Path<String>,
    mut params: Params,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let window = params.window::<usize>()?;
    params.finish()?;
    let id = incident_find(&store, &id).await?.incident.id;
    let decisions = store.incident_explain(id).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(numbered::<DecisionView, _>(decisions, &window)))
}

/// A list whose items have no id: a cursor is the place of an item among those of this moment.
fn numbered<V, I>(items: Vec<I>, window: &tocsin_store::Window<usize>) -> ListView<V>
where
    V: From<(usize, I)>,
{
    ListView::of_all(items.into_iter().enumerate().collect(), window, |(place, _)| *place)
}

async fn dead_letters(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let window = params.window()?;
    params.finish()?;
    let page = store.dead_letter_list(window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<DeadLetterView>::new(page, &window)))
}

async fn dead_letter(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let letter = match id.parse() {
        Ok(id) => store.dead_letter_get(id).await.map_err(unavailable)?,
        Err(_) => None,
    };
    let letter = letter.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no dead letter has this number"))?;
    Ok(HttpResponse::Ok().json(DeadLetterView::from(letter)))
}
