//! An incident with all that is shown of it, in one round trip: three questions, of which none waits for another's answer.

use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join3;
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::IncidentId;
use tocsin_shared::board::Alert;

use crate::alert::{MAX_ALERTS_OF_INCIDENT, Row as AlertRow};
use crate::incident::Row as IncidentRow;
use crate::statement::Statement;
use crate::timeline::MAX_ENTRIES;
use crate::{IncidentRecord, Operation, Store, StoreError, TimelineRecord, columns};

/// What an incident is called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentName {
    /// Its id.
    Id(IncidentId),
    /// Its number.
    Number(i64),
}

/// An incident with all that is shown of it.
#[derive(Debug, Clone)]
pub struct IncidentDetail {
    /// The incident.
    pub record: IncidentRecord,
    /// The newest 500 alerts that belong, or have belonged, to it, newest first.
    pub alerts: Vec<Alert>,
    /// The newest 500 entries of its timeline, oldest first.
    pub timeline: Vec<TimelineRecord>,
}

impl Store {
    /// One incident with its alerts and its timeline. Each of the three is as it is at a moment of its own.
    pub async fn incident_detail(&self, name: IncidentName) -> Result<Option<IncidentDetail>, StoreError> {
        self.run(Operation::IncidentDetail, |connection| {
            async move {
                let connection: &AsyncPgConnection = connection;
                let (incidents, alerts, mut timeline) = try_join3(
                    RunQueryDsl::load::<IncidentRow>(incident(name), &mut &*connection),
                    RunQueryDsl::load::<AlertRow>(alerts(name), &mut &*connection),
                    RunQueryDsl::load::<TimelineRecord>(timeline(name), &mut &*connection),
                )
                .await?;
                let Some(row) = incidents.into_iter().next() else { return Ok(None) };
                timeline.reverse();
                let alerts = alerts.into_iter().map(Alert::try_from).collect::<Result<_, _>>()?;
                Ok(Some(IncidentDetail { record: row.try_into()?, alerts, timeline }))
            }
            .scope_boxed()
        })
        .await
    }
}

fn incident(name: IncidentName) -> Statement<'static> {
    let statement = Statement::new(concat!("SELECT ", columns::incidents!(), " FROM incidents WHERE "));
    match name {
        IncidentName::Id(id) => statement.sql("id = ").bind::<SqlUuid, _>(id.as_uuid()),
        IncidentName::Number(number) => statement.sql("number = ").bind::<BigInt, _>(number),
    }
}

/// Adds the incident's id, which may have to be looked up.
fn id(name: IncidentName, statement: Statement<'static>) -> Statement<'static> {
    match name {
        IncidentName::Id(id) => statement.bind::<SqlUuid, _>(id.as_uuid()),
        IncidentName::Number(number) => {
            statement.sql("(SELECT id FROM incidents WHERE number = ").bind::<BigInt, _>(number).sql(")")
        }
    }
}

fn alerts(name: IncidentName) -> Statement<'static> {
    let statement = Statement::new(concat!(
        "SELECT ",
        columns::alerts!(),
        " FROM incident_alerts JOIN alerts ON alerts.id = incident_alerts.alert_id WHERE incident_alerts.incident_id = "
    ));
    id(name, statement).sql(" ORDER BY alerts.id DESC LIMIT ").bind::<BigInt, _>(MAX_ALERTS_OF_INCIDENT)
}

fn timeline(name: IncidentName) -> Statement<'static> {
    let statement = Statement::new(concat!("SELECT ", columns::timeline!(), " FROM timeline WHERE incident_id = "));
    id(name, statement).sql(" ORDER BY id DESC LIMIT ").bind::<BigInt, _>(MAX_ENTRIES)
}
