//! Responders' commands: each done once, in one transaction with its outcome.
//!
//! Locks are taken in the order of [`apply`](crate::apply): silences, the command, alerts, incidents.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use scoped_futures::ScopedFutureExt as _;
use tocsin_shared::board::{Board, Loaded, TimelineEntry, TimelineKind};
use tocsin_shared::command::{Action, Command, CommandOutcome, NewSilence};
use tocsin_shared::ledger::DeadNotices;
use tocsin_shared::matcher::MAX_MATCHERS;
use tocsin_shared::policy::Policy;
use tocsin_shared::silence::MAX_COMMENT_CHARS;
use tocsin_shared::{ErrorCode, IncidentId, MatchOp, Matcher, Matchers, SilenceId};

use crate::alert::{alerts_firing_in_txn, alerts_lock_in_txn};
use crate::apply::changes_write_in_txn;
use crate::dead_letter::{Redriven, dead_letters_redrive_in_txn};
use crate::incident::{incident_read_in_txn, incidents_lock_these_in_txn, incidents_of_group_in_txn};
use crate::ledger::{NoticesRedriven, notices_redrive_in_txn};
use crate::silence::{
    silence_delete_in_txn, silence_end_in_txn, silence_exists_in_txn, silence_extend_in_txn, silence_insert_in_txn,
    silences_own_in_txn,
};
use crate::suppression::suppression_step_in_txn;
use crate::timeline::timeline_insert_in_txn;
use crate::{Operation, Store, StoreError};

/// A silence that has this much less to go than is asked for needs no more: somebody has clicked twice.
const SILENCED_ALREADY: TimeDelta = TimeDelta::minutes(1);

/// Whoever comes second waits until the first is done.
const CLAIM: &str = "\
INSERT INTO commands (id, at, actor_type, actor_id, actor_name, action, outcome) VALUES ($1, $2, $3, $4, $5, $6, 'null')
ON CONFLICT (id) DO NOTHING";
const OUTCOME: &str = "SELECT outcome FROM commands WHERE id = $1";
const FINISH: &str = "UPDATE commands SET outcome = $2 WHERE id = $1";

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Jsonb)]
    outcome: serde_json::Value,
}

impl Store {
    /// Does what a responder asks for, once: a command that comes again is answered with the outcome of the first time.
    pub async fn command_apply(&self, command: &Command, policy: &Policy) -> Result<CommandOutcome, StoreError> {
        self.run_applying(Operation::CommandApply, |connection| {
            async move { command_apply_in_txn(connection, command, policy).await }.scope_boxed()
        })
        .await
    }
}

async fn command_apply_in_txn(
    connection: &mut AsyncPgConnection,
    command: &Command,
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    let json = |column| move |source| StoreError::Json { column, source };
    let id = command.id.as_uuid();
    let claimed = diesel::sql_query(CLAIM)
        .bind::<SqlUuid, _>(id)
        .bind::<Timestamptz, _>(command.at)
        .bind::<Text, _>(command.actor.kind.as_str())
        .bind::<Text, _>(&command.actor.id)
        .bind::<Text, _>(&command.actor.name)
        .bind::<Jsonb, _>(serde_json::to_value(&command.action).map_err(json("commands.action"))?)
        .execute(connection)
        .await?;
    if claimed == 0 {
        let stored: Stored = diesel::sql_query(OUTCOME).bind::<SqlUuid, _>(id).get_result(connection).await?;
        return serde_json::from_value(stored.outcome).map_err(json("commands.outcome"));
    }
    let outcome = match &command.action {
        Action::Silence { silence } => silence_begin_in_txn(connection, command, silence, policy).await?,
        Action::SilenceEnd { id } => silence_stop_in_txn(connection, *id, false, command.at, policy).await?,
        Action::SilenceDelete { id } => silence_stop_in_txn(connection, *id, true, command.at, policy).await?,
        Action::SilenceIncident { incident, duration_s } => {
            silence_incident_in_txn(connection, command, *incident, *duration_s, policy).await?
        }
        Action::Redrive { dead_letters } => redrive_in_txn(connection, dead_letters).await?,
        Action::RedriveNotices { notices } => redrive_notices_in_txn(connection, command, notices).await?,
        Action::Declare { .. } => on_board_in_txn(connection, command, &[], policy).await?,
        Action::Acknowledge { incident }
        | Action::Resolve { incident, .. }
        | Action::Cancel { incident, .. }
        | Action::Reopen { incident }
        | Action::Note { incident, .. }
        | Action::SetSeverity { incident, .. } => on_board_in_txn(connection, command, &[*incident], policy).await?,
    };
    diesel::sql_query(FINISH)
        .bind::<SqlUuid, _>(id)
        .bind::<Jsonb, _>(serde_json::to_value(&outcome).map_err(json("commands.outcome"))?)
        .execute(connection)
        .await?;
    Ok(outcome)
}

/// What concerns incidents.
async fn on_board_in_txn(
    connection: &mut AsyncPgConnection,
    command: &Command,
    ids: &[IncidentId],
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    // A silence needs none of them, and incidents are locked already: alerts come before those.
    let keys = match &command.action {
        Action::SilenceIncident { .. } => Vec::new(),
        _ => alerts_firing_in_txn(connection, ids).await?,
    };
    let alerts = alerts_lock_in_txn(connection, &keys).await?;
    let mut incidents = incidents_lock_these_in_txn(connection, ids).await?;
    if matches!(command.action, Action::Reopen { .. })
        && let [incident] = &incidents[..]
    {
        let others = incidents_of_group_in_txn(connection, &incident.group_key, incident.id).await?;
        incidents.extend(others);
    }
    let mut board = Board::new(policy, &[], Loaded { alerts, incidents, inhibitors: Vec::new() });
    let outcome = board.command(command);
    changes_write_in_txn(connection, board.into_changes(), false).await?;
    Ok(outcome)
}

async fn silence_begin_in_txn(
    connection: &mut AsyncPgConnection,
    command: &Command,
    silence: &NewSilence,
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    silences_own_in_txn(connection).await?;
    let silence = silence.of(command);
    silence_insert_in_txn(connection, &silence).await?;
    silenced_in_txn(connection, silence.id, true, command.at, policy).await
}

/// Silences what the alerts of an incident have in common, and tells that in the incident. Where just that is silenced already,
/// that silence goes on for as long: each further one would be one more to take back.
///
/// Nobody applies alerts meanwhile, since the silences are owned; so what is read of the incident holds until it is locked,
/// unless another responder has ended it: then the silence is undone with all else, and the command tried again.
async fn silence_incident_in_txn(
    connection: &mut AsyncPgConnection,
    command: &Command,
    id: IncidentId,
    duration_s: u32,
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    let silences = silences_own_in_txn(connection).await?;
    let Some(incident) = incident_read_in_txn(connection, id).await? else {
        return Ok(rejected(ErrorCode::NotFound, "there is no such incident"));
    };
    if let Err(detail) = incident.silenceable() {
        return Ok(rejected(ErrorCode::InvalidTransition, detail));
    }
    let labels = incident.labels.iter().filter(|(_, value)| !value.is_empty());
    let matchers: Result<Vec<Matcher>, _> =
        labels.map(|(name, value)| Matcher::new(name, MatchOp::Equal, value)).collect();
    let matchers = match matchers {
        Ok(matchers) if matchers.len() <= MAX_MATCHERS => Matchers::from(matchers),
        _ => return Ok(rejected(ErrorCode::InvalidTransition, "its labels make no matchers; make a silence by hand")),
    };
    let comment = incident.title.chars().take(MAX_COMMENT_CHARS).collect();
    let ends_at = command.at + TimeDelta::seconds(duration_s.into());
    let mut standing = silences.into_iter().map(|known| known.silence);
    let standing = standing.find(|silence| {
        silence.recurrence.is_none() && silence.starts_at <= command.at && silence.matchers == matchers
    });
    let silence = match standing {
        Some(silence) if silence.ends_at + SILENCED_ALREADY >= ends_at => {
            let silence = Some(silence.id);
            return Ok(CommandOutcome::Done { incident: Some(id), silence, changed: false, count: None });
        }
        Some(silence) => {
            silence_extend_in_txn(connection, silence.id, ends_at).await?;
            silence
        }
        None => {
            let silence = NewSilence { matchers, starts_at: None, ends_at, recurrence: None, comment }.of(command);
            silence_insert_in_txn(connection, &silence).await?;
            silence
        }
    };
    silenced_in_txn(connection, silence.id, true, command.at, policy).await?;
    match on_board_in_txn(connection, command, &[id], policy).await? {
        CommandOutcome::Done { incident, changed, .. } => {
            Ok(CommandOutcome::Done { incident, silence: Some(silence.id), changed, count: None })
        }
        CommandOutcome::Rejected { .. } => Err(StoreError::Raced),
    }
}

async fn silence_stop_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
    delete: bool,
    at: DateTime<Utc>,
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    silences_own_in_txn(connection).await?;
    if !silence_exists_in_txn(connection, id).await? {
        return Ok(rejected(ErrorCode::NotFound, "there is no such silence"));
    }
    let changed = if delete {
        silence_delete_in_txn(connection, id).await?
    } else {
        silence_end_in_txn(connection, id, at).await?
    };
    silenced_in_txn(connection, id, changed, at, policy).await
}

/// Tells the alerts that fire; what is too much for one step is left to the worker's duty.
async fn silenced_in_txn(
    connection: &mut AsyncPgConnection,
    id: SilenceId,
    changed: bool,
    at: DateTime<Utc>,
    policy: &Policy,
) -> Result<CommandOutcome, StoreError> {
    let known = silences_own_in_txn(connection).await?;
    suppression_step_in_txn(connection, &known, policy, at.max(Utc::now())).await?;
    Ok(CommandOutcome::Done { incident: None, silence: Some(id), changed, count: None })
}

async fn redrive_in_txn(connection: &mut AsyncPgConnection, ids: &[i64]) -> Result<CommandOutcome, StoreError> {
    Ok(match dead_letters_redrive_in_txn(connection, ids).await? {
        Redriven::Unknown(id) => rejected(ErrorCode::NotFound, &format!("there is no dead letter {id}")),
        Redriven::Unreadable { id, field } => {
            let detail = format!("dead letter {id} cannot be driven again: its field `{field}` cannot be read");
            rejected(ErrorCode::InvalidTransition, &detail)
        }
        Redriven::Done(count) => {
            CommandOutcome::Done { incident: None, silence: None, changed: count > 0, count: Some(count) }
        }
    })
}

/// Drives dead notices again, and says in the timelines of their incidents who wanted it.
async fn redrive_notices_in_txn(
    connection: &mut AsyncPgConnection,
    command: &Command,
    notices: &DeadNotices,
) -> Result<CommandOutcome, StoreError> {
    let redriven = match notices_redrive_in_txn(connection, notices).await? {
        NoticesRedriven::Done(redriven) => redriven,
        NoticesRedriven::Unknown(id) => {
            return Ok(rejected(ErrorCode::NotFound, &format!("there is no notice {id}")));
        }
        NoticesRedriven::NotDead { id, status } => {
            let detail = format!("notice {id} is {status}; only a dead one is driven again");
            return Ok(rejected(ErrorCode::InvalidTransition, &detail));
        }
    };
    let mut receivers: BTreeMap<IncidentId, BTreeSet<&str>> = BTreeMap::new();
    for notice in &redriven {
        receivers.entry(notice.incident_id).or_default().insert(&notice.receiver);
    }
    let entry = |(incident_id, receivers): (IncidentId, BTreeSet<&str>)| TimelineEntry {
        incident_id,
        at: command.at,
        kind: TimelineKind::NoticesRedriven,
        actor: Some(command.actor.clone()),
        content: format!(
            "{} had what could not be told to {} tried again",
            command.actor.name,
            receivers.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    let entries: Vec<_> = receivers.into_iter().map(entry).collect();
    timeline_insert_in_txn(connection, &entries).await?;
    let count = redriven.len();
    let incident = if let [notice] = &redriven[..] { Some(notice.incident_id) } else { None };
    Ok(CommandOutcome::Done { incident, silence: None, changed: count > 0, count: Some(count) })
}

fn rejected(code: ErrorCode, detail: &str) -> CommandOutcome {
    CommandOutcome::Rejected { code, detail: detail.to_owned() }
}
