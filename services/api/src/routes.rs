//! The HTTP surface of the api.

mod explain;
mod notifications;
mod oidc;
mod process;
mod respond;
mod session;
mod silences;
mod system;

use actix_web::middleware::{Compat, Compress, from_fn};
use actix_web::{HttpResponse, web};
use tocsin_service::http::Problem;
use tocsin_shared::board::Alert;
use tocsin_shared::{AlertId, ErrorCode};
use tocsin_store::{AlertFilter, IncidentDetail, IncidentFilter, IncidentName, IncidentRecord, Store};

use crate::auth::Reader;
use crate::openapi::{self, Doc, Table, examples, params};
use crate::params::Params;
use crate::views::{AlertView, IncidentDetailView, IncidentView, ListView, TimelineView};
use crate::{answers, dashboard, events, unavailable};

/// Adds the routes, and the dashboard at every address that is not one of them.
pub(crate) fn add(app: &mut web::ServiceConfig) {
    let all = web::scope("").configure(|app| table().add_to(app)).default_service(web::to(dashboard::serve));
    app.service(all.wrap(from_fn(answers::finish)).wrap(Compat::new(Compress::default())));
}

/// Every route, with its description.
pub(crate) fn table() -> Table {
    let mut table = Table::default();
    add_reads(&mut table);
    explain::add(&mut table);
    notifications::add(&mut table);
    oidc::add(&mut table);
    process::add(&mut table);
    respond::add(&mut table);
    session::add(&mut table);
    silences::add(&mut table);
    system::add(&mut table);
    events::add(&mut table);
    openapi::add(&mut table);
    table
}

fn add_reads(table: &mut Table) {
    let incidents = |id, summary| Doc::reads(id, "incidents", summary);
    table
        .get(
            "/api/v1/incidents",
            incident_list,
            incidents("listIncidents", "Incidents, newest first")
                .with_all(params::of_incidents())
                .lists::<IncidentView>("Those that match.", &examples::incident()),
        )
        .get(
            "/api/v1/incidents/{id}",
            incident_detail,
            incidents("getIncident", "An incident, with its newest 500 alerts and timeline entries")
                .of_incident()
                .gives::<IncidentDetailView>(200, "The incident.", examples::incident_detail()),
        )
        .get(
            "/api/v1/incidents/{id}/alerts",
            incident_alerts,
            incidents("listIncidentAlerts", "The newest 500 alerts of an incident, newest first")
                .of_incident()
                .lists::<AlertView>("Its alerts.", &examples::alert()),
        )
        .get(
            "/api/v1/incidents/{id}/timeline",
            incident_timeline,
            incidents("listIncidentTimeline", "The newest 500 entries of an incident's timeline, oldest first")
                .of_incident()
                .lists::<TimelineView>("Its timeline.", &examples::timeline()),
        )
        .get(
            "/api/v1/alerts",
            alert_list,
            Doc::reads("listAlerts", "alerts", "Alerts, newest first")
                .with_all(params::of_alerts())
                .lists::<AlertView>("Those that match.", &examples::alert()),
        )
        .get(
            "/api/v1/alerts/{id}",
            alert_detail,
            Doc::reads("getAlert", "alerts", "An alert").of_uuid("The alert's id.").gives::<AlertView>(
                200,
                "The alert.",
                examples::alert(),
            ),
        );
}

async fn incident_list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let filter = IncidentFilter {
        status: params.take_each("status")?,
        severity: params.take_each("severity")?,
        labels: params.labels()?,
        text: params.text()?,
        created_after: params.take("created_after")?,
        created_before: params.take("created_before")?,
    };
    let window = params.window()?;
    params.finish()?;
    let page = store.incident_list(&filter, window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<IncidentView>::new(page, &window)))
}

async fn incident_detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let detail = match incident_name(&id) {
        Some(name) => store.incident_detail(name).await.map_err(unavailable)?,
        None => None,
    };
    let IncidentDetail { record, alerts, timeline } = detail.ok_or_else(no_incident)?;
    Ok(HttpResponse::Ok().json(IncidentDetailView {
        incident: record.into(),
        alerts: alerts.into_iter().map(AlertView::from).collect(),
        timeline: timeline.into_iter().map(TimelineView::from).collect(),
    }))
}

/// The newest 500 alerts of an incident.
async fn incident_alerts(
    _: Reader,
    id: web::Path<String>,
    mut params: Params,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let window = params.window()?;
    params.finish()?;
    let id = incident_find(&store, &id).await?.incident.id;
    let alerts = store.incident_alerts(id).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<AlertView>::of_all(alerts, &window, |alert| alert.id)))
}

/// The newest 500 entries of an incident's timeline, oldest first.
async fn incident_timeline(
    _: Reader,
    id: web::Path<String>,
    mut params: Params,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let window = params.window()?;
    params.finish()?;
    let id = incident_find(&store, &id).await?.incident.id;
    let entries = store.timeline_list(id).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<TimelineView>::of_all(entries, &window, |entry| entry.id)))
}

/// The incident that an address names, by its id or its number.
async fn incident_find(store: &Store, id: &str) -> Result<IncidentRecord, Problem> {
    let record = match incident_name(id) {
        Some(IncidentName::Number(number)) => store.incident_get_by_number(number).await.map_err(unavailable)?,
        Some(IncidentName::Id(id)) => store.incident_get(id).await.map_err(unavailable)?,
        None => None,
    };
    record.ok_or_else(no_incident)
}

fn incident_name(text: &str) -> Option<IncidentName> {
    text.parse().map(IncidentName::Number).or_else(|_| text.parse().map(IncidentName::Id)).ok()
}

fn no_incident() -> Problem {
    Problem::new(ErrorCode::NotFound).detail("no incident has this id or number")
}

async fn alert_list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let filter = AlertFilter {
        source: params.take_words("source")?,
        status: params.take_each("status")?,
        severity: params.take_each("severity")?,
        labels: params.labels()?,
        text: params.text()?,
    };
    let window = params.window()?;
    params.finish()?;
    let page = store.alert_list(&filter, window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<AlertView>::new(page, &window)))
}

async fn alert_detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(AlertView::from(alert_find(&store, &id).await?)))
}

async fn alert_find(store: &Store, id: &str) -> Result<Alert, Problem> {
    let alert = match id.parse::<AlertId>() {
        Ok(id) => store.alert_get(id).await.map_err(unavailable)?,
        Err(_) => None,
    };
    alert.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no alert has this id"))
}
