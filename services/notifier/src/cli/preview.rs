//! `preview`: what a receiver would be sent, without sending it.

use std::process::ExitCode;
use std::str::FromStr;

use tocsin_service::with_causes;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{IncidentId, IncidentStatus, NotificationId};
use tocsin_store::{IncidentRecord, Store, StoreError};

use super::{Config, receiver};
use crate::story::Story;

/// How somebody names an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentName {
    /// By its number.
    Number(i64),
    /// By its id.
    Id(IncidentId),
}

/// A name that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither the number nor the id of an incident")]
pub struct NoIncidentName;

impl FromStr for IncidentName {
    type Err = NoIncidentName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim_start_matches('#').parse().map(Self::Number);
        number.or_else(|_| text.parse().map(Self::Id)).map_err(|_| NoIncidentName)
    }
}

/// Prints what the receiver would be sent about an incident.
pub async fn preview(config: &Config, name: &str, incident: IncidentName, kind: Option<NoticeKind>) -> ExitCode {
    let receiver = match receiver(&config.receivers, name) {
        Ok(receiver) => receiver,
        Err(code) => return code,
    };
    match story(config, incident, kind).await {
        Ok(Some(story)) => {
            println!("{}", receiver.provider.preview(&story));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            eprintln!("there is no such incident");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

async fn story(config: &Config, name: IncidentName, kind: Option<NoticeKind>) -> Result<Option<Story>, StoreError> {
    let store = Store::new(&config.store);
    let record = match name {
        IncidentName::Number(number) => store.incident_get_by_number(number).await?,
        IncidentName::Id(id) => store.incident_get(id).await?,
    };
    let Some(record) = record else {
        return Ok(None);
    };
    let alerts = store.incident_alerts(record.incident.id).await?;
    Ok(Some(Story {
        notice: NotificationId::generate(),
        kind: kind.unwrap_or(as_it_stands(&record)),
        revision: record.incident.version,
        at: record.incident.updated_at,
        alerts,
        link: Story::page(config.public_url.as_ref(), record.number),
        record,
        instead_of: None,
        message: None,
        is_test: false,
    }))
}

fn as_it_stands(record: &IncidentRecord) -> NoticeKind {
    match record.incident.status {
        IncidentStatus::Triggered => NoticeKind::Triggered,
        IncidentStatus::Acknowledged => NoticeKind::Acknowledged,
        IncidentStatus::Resolved => NoticeKind::Resolved,
        IncidentStatus::Canceled => NoticeKind::Canceled,
    }
}
