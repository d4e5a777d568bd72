//! The ledger for people: was it sent, and if not, why?

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::ledger::{NoticeKind, NoticeStatus};
use tocsin_shared::{IncidentId, NotificationId};
use uuid::Uuid;

use crate::alert::known;
use crate::list::{Question, Ranges, Terms, Wanted, chosen, list};
use crate::page::Total;
use crate::schema::{deliveries, notifications};
use crate::{Operation, Page, Store, StoreError, Window, columns};

/// Most attempts of one notice that are shown.
const MAX_DELIVERIES: i64 = 500;

/// Furthest that the notices of one incident are counted.
const MAX_COUNT: i64 = 10_000;

/// Which notices a list shows. What is empty or `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Only those with one of these fates.
    pub status: Vec<NoticeStatus>,
    /// Only those for one of these receivers.
    pub receiver: Vec<String>,
    /// Only those about this incident.
    pub incident: Option<IncidentId>,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRecord {
    /// Names it.
    pub id: NotificationId,
    /// What it is about.
    pub incident_id: IncidentId,
    /// Who is told.
    pub receiver: String,
    /// The incident's version that it tells of.
    pub revision: i64,
    /// Why somebody is told.
    pub kind: NoticeKind,
    /// What became of it.
    pub status: NoticeStatus,
    /// Why, if it was not delivered.
    pub reason: Option<String>,
    /// How often it was tried, since it was driven again last.
    pub attempts: i32,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// When it is tried next, if it is.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it ended, if it did.
    pub finished_at: Option<DateTime<Utc>>,
    /// When somebody had it tried again, if anybody did.
    pub redriven_at: Option<DateTime<Utc>>,
    /// The receiver in whose place this one is told, if it is not told in its own right.
    pub instead_of: Option<String>,
    /// Why that one could not be told.
    pub because: Option<String>,
}

/// One attempt to deliver a notice.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = deliveries, check_for_backend(Pg))]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct DeliveryRecord {
    pub attempt: i32,
    pub at: DateTime<Utc>,
    pub latency_ms: i32,
    pub http_status: Option<i32>,
    pub answer: String,
}

#[derive(Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = notifications, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    incident_id: Uuid,
    receiver: String,
    revision: i64,
    kind: String,
    status: String,
    reason: Option<String>,
    attempts: i32,
    created_at: DateTime<Utc>,
    next_attempt_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    redriven_at: Option<DateTime<Utc>>,
    instead_of: String,
    because: Option<String>,
}

impl TryFrom<Row> for NoticeRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let status = known("notifications.status", &row.status)?;
        Ok(Self {
            id: NotificationId::from_uuid(row.id),
            incident_id: IncidentId::from_uuid(row.incident_id),
            receiver: row.receiver,
            revision: row.revision,
            kind: known("notifications.kind", &row.kind)?,
            status,
            reason: row.reason,
            attempts: row.attempts,
            created_at: row.created_at,
            next_attempt_at: (status == NoticeStatus::Pending).then_some(row.next_attempt_at),
            finished_at: row.finished_at,
            redriven_at: row.redriven_at,
            instead_of: Some(row.instead_of).filter(|receiver| !receiver.is_empty()),
            because: row.because,
        })
    }
}

impl Store {
    /// One window of the notices that pass the filter, newest first; the cursor is a notice's id.
    pub async fn notice_list(
        &self,
        filter: &NoticeFilter,
        window: Window<NotificationId>,
    ) -> Result<Page<NoticeRecord, NotificationId>, StoreError> {
        self.run(Operation::NoticeList, |connection| {
            async move {
                match filter.incident {
                    Some(incident) => of_incident(connection, incident, filter, window).await,
                    None => of_all(connection, filter, window).await,
                }
            }
            .scope_boxed()
        })
        .await
    }

    /// One notice.
    pub async fn notice_get(&self, id: NotificationId) -> Result<Option<NoticeRecord>, StoreError> {
        self.run(Operation::NoticeGet, |connection| {
            async move {
                let query = notifications::table.find(id.as_uuid()).select(Row::as_select());
                let row: Option<Row> = query.first(connection).await.optional()?;
                row.map(NoticeRecord::try_from).transpose()
            }
            .scope_boxed()
        })
        .await
    }

    /// The newest 500 attempts to deliver a notice, oldest first.
    pub async fn notice_deliveries(&self, id: NotificationId) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.run(Operation::NoticeDeliveries, |connection| {
            async move {
                let mut attempts = deliveries::table
                    .filter(deliveries::notification_id.eq(id.as_uuid()))
                    .order(deliveries::id.desc())
                    .limit(MAX_DELIVERIES)
                    .select(DeliveryRecord::as_select())
                    .load(connection)
                    .await?;
                attempts.reverse();
                Ok(attempts)
            }
            .scope_boxed()
        })
        .await
    }
}

async fn of_all(
    connection: &mut AsyncPgConnection,
    filter: &NoticeFilter,
    window: Window<NotificationId>,
) -> Result<Page<NoticeRecord, NotificationId>, StoreError> {
    let status = chosen(&filter.status, NoticeStatus::ALL, NoticeStatus::as_str);
    let ranges = match (filter.receiver.is_empty(), tells_open_apart(&status)) {
        (true, _) if filter.status.is_empty() => None,
        (true, false) => Some(Ranges::of(&["fate"], &[fates(&status)])),
        (true, true) => Some(Ranges::of(&["status"], &[status]).followed_by(&["status", "fate"], fate)),
        (false, false) => Some(Ranges::of(&["receiver", "fate"], &[filter.receiver.clone(), fates(&status)])),
        (false, true) => {
            let ranges = Ranges::of(&["receiver", "status"], &[filter.receiver.clone(), status]);
            Some(ranges.followed_by(&["receiver", "status", "fate"], fate))
        }
    };
    let question = Question {
        table: "notifications",
        columns: columns::notifications!(),
        terms: Terms { table: "notifications", name: "id" },
        tally: None,
        ranges,
        below: None,
        least: None,
        wanted: Wanted::default(),
    };
    let Window { before, offset, limit } = window;
    let window = Window { before: before.map(NotificationId::as_uuid), offset, limit };
    let rows = list(connection, &question, window, |row: &Row| row.id).await?;
    let items = rows.items.into_iter().map(NoticeRecord::try_from).collect::<Result<_, _>>()?;
    Ok(Page { items, total: rows.total, next: rows.next.map(NotificationId::from_uuid) })
}

/// Whether only one of the two that are open is asked for. To ask for a status beside its fate, where that says the same, makes
/// Postgres expect so few rows that it reads the table whole.
fn tells_open_apart(status: &[String]) -> bool {
    let asks_for = |name: NoticeStatus| status.iter().any(|status| status == name.as_str());
    asks_for(NoticeStatus::Pending) != asks_for(NoticeStatus::Sending)
}

/// The fates that these statuses are.
fn fates(status: &[String]) -> Vec<String> {
    status.iter().map(|status| fate(status).to_owned()).collect()
}

/// What the indexes know of a status: one that is not the last is open.
fn fate(status: &str) -> &str {
    match status {
        "pending" | "sending" => "open",
        ended => ended,
    }
}

/// Those of one incident are few, and are sorted.
async fn of_incident(
    connection: &mut AsyncPgConnection,
    incident: IncidentId,
    filter: &NoticeFilter,
    window: Window<NotificationId>,
) -> Result<Page<NoticeRecord, NotificationId>, StoreError> {
    let filtered = || {
        let mut query = notifications::table.into_boxed().filter(notifications::incident_id.eq(incident.as_uuid()));
        if !filter.status.is_empty() {
            let names: Vec<_> = filter.status.iter().map(|status| status.as_str()).collect();
            query = query.filter(notifications::status.eq_any(names));
        }
        if !filter.receiver.is_empty() {
            query = query.filter(notifications::receiver.eq_any(&filter.receiver));
        }
        query
    };
    let counted: Vec<Uuid> = filtered().select(notifications::id).limit(MAX_COUNT + 1).load(connection).await?;
    let total = Total::up_to(MAX_COUNT, i64::try_from(counted.len()).unwrap_or(i64::MAX));
    let mut query = filtered().select(Row::as_select()).order(notifications::id.desc());
    if let Some(before) = window.before {
        query = query.filter(notifications::id.lt(before.as_uuid()));
    }
    let rows: Vec<Row> = query.offset(window.offset).limit(window.limit + 1).load(connection).await?;
    let items = rows.into_iter().map(NoticeRecord::try_from).collect::<Result<_, _>>()?;
    Ok(Page::from_one_more(items, window.limit, total, |notice| notice.id))
}
