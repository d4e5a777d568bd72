//! `preview`: what a receiver would be sent, without sending it.

use std::process::ExitCode;
use std::str::FromStr;

use tocsin_service::with_causes;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{IncidentId, NotificationId};
use tocsin_store::{Store, StoreError, StoryRecord};

use super::{Config, receiver};
use crate::message::state_kind;
use crate::receivers::Receiver;
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
    match record(config, name, incident).await {
        Ok(Some(record)) => {
            println!("{}", receiver.provider.preview(&story(config, receiver, record, kind)));
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

async fn record(config: &Config, receiver: &str, name: IncidentName) -> Result<Option<StoryRecord>, StoreError> {
    let store = Store::new(&config.store);
    let id = match name {
        IncidentName::Id(id) => Some(id),
        IncidentName::Number(number) => store.incident_get_by_number(number).await?.map(|record| record.incident.id),
    };
    match id {
        Some(id) => store.story(id, receiver).await,
        None => Ok(None),
    }
}

fn story(config: &Config, receiver: &Receiver, record: StoryRecord, kind: Option<NoticeKind>) -> Story {
    let StoryRecord { incident: record, alerts, message } = record;
    let destination = receiver.provider.destination();
    Story {
        notice: NotificationId::generate(),
        kind: kind.unwrap_or(state_kind(record.incident.status)),
        revision: record.incident.version,
        at: record.incident.updated_at,
        alerts,
        link: Story::page(config.public_url.as_ref(), record.number),
        record,
        instead_of: None,
        message: message.filter(|(at, _)| at == destination).map(|(_, reference)| reference),
        is_test: false,
    }
}
