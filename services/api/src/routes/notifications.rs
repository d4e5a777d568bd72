//! The ledger: what was told to whom, and if not, why; and another try for what is dead.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tocsin_service::http::Problem;
use tocsin_shared::ledger::{DeadNotices, MAX_DEAD_NOTICES};
use tocsin_shared::{Action, ErrorCode, NotificationId};
use tocsin_store::{NoticeFilter, NoticeRecord, Store};
use utoipa::ToSchema;

use super::incident_find;
use crate::auth::{Admin, Reader};
use crate::body::{Body, Nothing};
use crate::commands::Commands;
use crate::openapi::{Doc, Table, examples, params, schemas};
use crate::params::Params;
use crate::unavailable;
use crate::views::{ListView, NoticeDetailView, NoticeView};

/// Adds the routes.
pub(super) fn add(table: &mut Table) {
    let reads = |id, summary| Doc::reads(id, "notifications", summary);
    let administers = |id, summary| Doc::administers(id, "notifications", summary);
    table
        .get(
            "/api/v1/notifications",
            list,
            reads("listNotifications", "What receivers were told, or not, newest first")
                .with_all(params::of_notifications())
                .with(params::query("incident", "Of this incident, by its number or id.", &json!({"type": "string"})))
                .codes(&[ErrorCode::NotFound])
                .lists::<NoticeView>("Those that match.", &examples::notification()),
        )
        // Before the ids: `redrive` is none.
        .post(
            "/api/v1/notifications/redrive",
            redrive_matching,
            administers("redriveNotifications", "Has dead notifications tried again, the oldest first")
                .about("None whose receiver has been told something newer of the same incident since.")
                .may_take::<Matching>(&json!({"receiver": "ops", "since": "2026-03-02T09:00:00Z", "limit": 100}))
                .gives_done(examples::done(Some(3))),
        )
        .get(
            "/api/v1/notifications/{id}",
            detail,
            reads("getNotification", "A notification, with each attempt")
                .of_uuid("The notification's id.")
                .gives::<NoticeDetailView>(200, "The notification.", examples::notification_detail()),
        )
        .post(
            "/api/v1/notifications/{id}/redrive",
            redrive,
            administers("redriveNotification", "Has a dead notification tried again")
                .of_uuid("The notification's id.")
                .may_take::<Nothing>(&json!({}))
                .gives_done(examples::done(Some(1))),
        )
        .get(
            "/api/v1/incidents/{id}/notifications",
            of_incident,
            Doc::reads("listIncidentNotifications", "incidents", "Who was told of an incident, newest first")
                .of_incident()
                .with_all(params::of_notifications())
                .lists::<NoticeView>("Those that match.", &examples::notification()),
        );
}

/// Which dead notifications.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeadNotifications)]
#[serde(deny_unknown_fields)]
struct Matching {
    /// Only of this receiver.
    #[schema(value_type = Option<schemas::Receiver>)]
    receiver: Option<String>,
    /// Only those that died at this time or later.
    since: Option<DateTime<Utc>>,
    /// Most of them; 1,000 unless it is given.
    #[schema(value_type = Option<schemas::DeadCount>)]
    limit: Option<u32>,
}

async fn list(_: Reader, mut params: Params, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let status = params.take_each("status")?;
    let receiver = params.take_words("receiver")?;
    let incident = match params.take::<String>("incident")? {
        Some(id) => Some(incident_find(&store, &id).await?.incident.id),
        None => None,
    };
    answer(params, &store, NoticeFilter { status, receiver, incident }).await
}

async fn of_incident(
    _: Reader,
    id: web::Path<String>,
    mut params: Params,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let (status, receiver) = (params.take_each("status")?, params.take_words("receiver")?);
    let incident = Some(incident_find(&store, &id).await?.incident.id);
    answer(params, &store, NoticeFilter { status, receiver, incident }).await
}

async fn answer(mut params: Params, store: &Store, filter: NoticeFilter) -> Result<HttpResponse, Problem> {
    let window = params.window()?;
    params.finish()?;
    let page = store.notice_list(&filter, window).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(ListView::<NoticeView>::new(page, &window)))
}

async fn detail(_: Reader, id: web::Path<String>, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let notice = find(&store, &id).await?;
    let attempts = store.notice_deliveries(notice.id).await.map_err(unavailable)?;
    Ok(HttpResponse::Ok().json(NoticeDetailView::new(notice, attempts)))
}

async fn find(store: &Store, id: &str) -> Result<NoticeRecord, Problem> {
    let notice = match id.parse::<NotificationId>() {
        Ok(id) => store.notice_get(id).await.map_err(unavailable)?,
        Err(_) => None,
    };
    notice.ok_or_else(|| Problem::new(ErrorCode::NotFound).detail("no notification has this id"))
}

async fn redrive(
    Admin(caller): Admin,
    id: web::Path<String>,
    _: Body<Nothing>,
    commands: web::Data<Commands>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let notices = DeadNotices::These(vec![find(&store.primary(), &id).await?.id]);
    let asked = commands.ask(&caller, Action::RedriveNotices { notices }).await?;
    Ok(asked.answer(StatusCode::OK, None::<()>))
}

/// Those of the filter, but for those that a newer one has overtaken.
async fn redrive_matching(
    Admin(caller): Admin,
    Body(Matching { receiver, since, limit }): Body<Matching>,
    commands: web::Data<Commands>,
) -> Result<HttpResponse, Problem> {
    let notices = DeadNotices::Matching { receiver, since, limit: limit.unwrap_or(MAX_DEAD_NOTICES) };
    let asked = commands.ask(&caller, Action::RedriveNotices { notices }).await?;
    Ok(asked.answer(StatusCode::OK, None::<()>))
}
