//! The HTTP surface of the api.

use actix_web::{HttpResponse, web};
use tocsin_service::http::Problem;
use tocsin_shared::{AlertId, ErrorCode, IncidentId};
use tocsin_store::{AlertFilter, IncidentFilter, Store};

use crate::auth::Reader;
use crate::params::Params;
use crate::unavailable;
use crate::views::{AlertView, IncidentDetailView, IncidentView, ListView, TimelineView};

/// Adds the routes.
pub(crate) fn add(app: &mut web::ServiceConfig) {
    app.service(web::resource("/api/v1/incidents").get(incident_list))
        .service(web::resource("/api/v1/incidents/{id}").get(incident_detail))
        .service(web::resource("/api/v1/alerts").get(alert_list))
        .service(web::resource("/api/v1/alerts/{id}").get(alert_detail));
}

async fn incident_list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let filter = IncidentFilter {
        status: params.take("status")?,
        severity: params.take("severity")?,
        labels: params.labels()?,
        text: params.text()?,
        created_after: params.take("created_after")?,
        created_before: params.take("created_before")?,
    };
    let window = params.window()?;
    params.finish()?;
    let page = store.incident_list(&filter, window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<IncidentView>::new(page, &window, |record| record.number)))
}

async fn incident_detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let record = if let Ok(number) = id.parse::<i64>() {
        store.incident_get_by_number(number).await.map_err(unavailable)?
    } else if let Ok(id) = id.parse::<IncidentId>() {
        store.incident_get(id).await.map_err(unavailable)?
    } else {
        None
    };
    let record = record.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no incident has this id or number"))?;
    let id = record.incident.id;
    let (alerts, timeline) = (store.incident_alerts(id).await, store.timeline_list(id).await);
    Ok(HttpResponse::Ok().json(IncidentDetailView {
        incident: record.into(),
        alerts: alerts.map_err(unavailable)?.into_iter().map(AlertView::from).collect(),
        timeline: timeline.map_err(unavailable)?.into_iter().map(TimelineView::from).collect(),
    }))
}

async fn alert_list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let filter = AlertFilter {
        source: params.take("source")?,
        status: params.take("status")?,
        severity: params.take("severity")?,
        labels: params.labels()?,
        text: params.text()?,
    };
    let window = params.window()?;
    params.finish()?;
    let page = store.alert_list(&filter, window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<AlertView>::new(page, &window, |alert| alert.id)))
}

async fn alert_detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let alert = match id.parse::<AlertId>() {
        Ok(id) => store.alert_get(id).await.map_err(unavailable)?,
        Err(_) => None,
    };
    let alert = alert.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no alert has this id"))?;
    Ok(HttpResponse::Ok().json(AlertView::from(alert)))
}
