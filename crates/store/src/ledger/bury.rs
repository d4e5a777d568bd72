//! Notices that nobody will send: their deadline has passed, their receiver is switched off, or there is none of that name.
//! Where a receiver has a fallback, that one is told in its place, in the same transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use scoped_futures::ScopedFutureExt as _;

use crate::{Operation, Store, StoreError};

/// Most notices that one step buries.
const MAX_BURIED: i64 = 500;

/// What follows for fallbacks from the rows of `dead` (with `fallback`): the newest of each incident and receiver is told to
/// the fallback, and takes the place of an older one that still waits there. A fallback has none itself. Its row's id
/// is a `UUIDv7`, by which lists are ordered.
macro_rules! tell_fallbacks {
    () => {
        "\
told AS (
    INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace, instead_of, because)
    SELECT DISTINCT ON (incident_id, receiver)
        (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(chance, 2, 3) || '8'
            || substr(chance, 6, 15))::uuid,
        incident_id, fallback, revision, 'undelivered', created_at, trace, receiver, reason
    FROM dead, LATERAL (SELECT replace(gen_random_uuid()::text, '-', '')) AS random (chance)
    WHERE fallback IS NOT NULL AND instead_of = ''
    ORDER BY incident_id, receiver, revision DESC
    ON CONFLICT DO NOTHING
    RETURNING incident_id, receiver, revision, instead_of),
merged AS (
    UPDATE notifications AS older SET status = 'superseded', reason = 'a newer notice says it', finished_at = now()
    FROM told
    WHERE (older.incident_id, older.receiver, older.instead_of) = (told.incident_id, told.receiver, told.instead_of)
    AND older.revision < told.revision AND older.fate = 'open' AND older.status = 'pending' AND older.attempts = 0
    AND older.id NOT IN (SELECT id FROM dead))"
    };
}
pub(super) use tell_fallbacks;

/// The rows of `dying` die.
macro_rules! dying {
    () => {
        "\
dead AS (
    UPDATE notifications AS n SET
        status = 'dead', reason = dying.reason, finished_at = now(), lease_token = NULL, lease_until = NULL
    FROM dying WHERE n.id = dying.id
    RETURNING n.id, n.incident_id, n.receiver, n.revision, n.created_at, n.trace, n.reason, n.instead_of, dying.fallback),
"
    };
}

/// A receiver whose notices are buried, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burial {
    /// Its name.
    pub receiver: String,
    /// Why nobody is told.
    pub reason: String,
    /// Who is told in its place.
    pub fallback: Option<String>,
    /// For how long the receiver must have been owed what is buried.
    pub owed_for: Duration,
}

/// What was buried of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Buried {
    /// Its name.
    #[diesel(sql_type = Text)]
    pub receiver: String,
    /// How many notices are dead.
    #[diesel(sql_type = BigInt)]
    pub notices: i64,
}

/// A receiver that was switched off because its provider said that there is nobody any more.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct GoneReceiver {
    /// Its name.
    #[diesel(sql_type = Text)]
    pub receiver: String,
    /// Where it led.
    #[diesel(sql_type = Text)]
    pub destination: String,
    /// What the provider said.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub gone_at: DateTime<Utc>,
}

/// What waits for a receiver.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct Waiting {
    /// Its name, as the ledger has it; perhaps no such receiver is configured.
    #[diesel(sql_type = Text)]
    pub receiver: String,
    /// How long ago, in seconds, the notice became due that has waited longest; zero or less when none is due.
    #[diesel(sql_type = Double)]
    pub oldest_due: f64,
}

/// Jumps from receiver to receiver in the index of what is unfinished: costs as much as there are receivers.
const WAITING: &str = "\
WITH RECURSIVE open (receiver, due) AS (
    (SELECT receiver, next_attempt_at FROM notifications
     WHERE fate = 'open' ORDER BY receiver, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT next.receiver, next.next_attempt_at FROM open CROSS JOIN LATERAL (
        SELECT n.receiver, n.next_attempt_at FROM notifications AS n
        WHERE n.receiver > open.receiver AND n.fate = 'open'
        ORDER BY n.receiver, n.next_attempt_at LIMIT 1) AS next)
SELECT receiver, extract(epoch FROM now() - due)::double precision AS oldest_due FROM open";

const GONE: &str = "SELECT receiver, destination, reason, gone_at FROM receivers_gone ORDER BY receiver";

const RETURN: &str = "\
DELETE FROM receivers_gone USING UNNEST($1, $2) AS back (receiver, destination)
WHERE receivers_gone.receiver = back.receiver AND receivers_gone.destination = back.destination";

/// What is due of these receivers, and owed for long enough.
const BURY: &str = concat!(
    "\
WITH dying AS (
    SELECT n.id, buried.reason, buried.fallback
    FROM UNNEST($1, $2, $3, $4) AS buried (receiver, reason, fallback, owed_for)
    JOIN notifications AS n USING (receiver)
    WHERE n.next_attempt_at <= now()
    AND coalesce(n.redriven_at, n.owed_since) <= now() - make_interval(secs => buried.owed_for) AND n.fate = 'open'
    AND (n.status = 'pending' OR n.lease_until < now())
    LIMIT $5
    FOR UPDATE OF n SKIP LOCKED),
",
    dying!(),
    tell_fallbacks!(),
    "
SELECT receiver, count(*) AS notices FROM dead GROUP BY receiver"
);

/// What these receivers have been owed for longer than the deadline, and nobody is sending. What was not due yet, or waits only
/// for its group's interval, is not owed.
const EXPIRE: &str = concat!(
    "\
WITH dying AS (
    SELECT n.id, format('not delivered within %s, in %s attempts', $3, n.attempts) AS reason, buried.fallback
    FROM UNNEST($1, $2) AS buried (receiver, fallback)
    JOIN notifications AS n USING (receiver)
    WHERE n.fate = 'open' AND coalesce(n.redriven_at, n.owed_since) < now() - make_interval(secs => $4)
    AND (n.status = 'pending' OR n.lease_until < now())
    LIMIT $5
    FOR UPDATE OF n SKIP LOCKED),
",
    dying!(),
    tell_fallbacks!(),
    "
SELECT receiver, count(*) AS notices FROM dead GROUP BY receiver"
);

impl Store {
    /// For which receivers something is unfinished, and how long the oldest of it has been due.
    pub async fn ledger_waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.run(Operation::LedgerWaiting, |connection| {
            async move { Ok(diesel::sql_query(WAITING).load(connection).await?) }.scope_boxed()
        })
        .await
    }

    /// The receivers that are switched off.
    pub async fn receivers_gone(&self) -> Result<Vec<GoneReceiver>, StoreError> {
        self.run(Operation::ReceiversGone, |connection| {
            async move { Ok(diesel::sql_query(GONE).load(connection).await?) }.scope_boxed()
        })
        .await
    }

    /// Switches receivers on again that led elsewhere when they were switched off.
    pub async fn receivers_return(&self, back: &[GoneReceiver]) -> Result<usize, StoreError> {
        self.run(Operation::ReceiversGone, |connection| {
            async move {
                Ok(diesel::sql_query(RETURN)
                    .bind::<Array<Text>, _>(back.iter().map(|gone| gone.receiver.as_str()).collect::<Vec<_>>())
                    .bind::<Array<Text>, _>(back.iter().map(|gone| gone.destination.as_str()).collect::<Vec<_>>())
                    .execute(connection)
                    .await?)
            }
            .scope_boxed()
        })
        .await
    }

    /// Gives up what is due of these receivers, a step of at most 500.
    pub async fn ledger_bury(&self, burials: &[Burial]) -> Result<Vec<Buried>, StoreError> {
        self.run(Operation::LedgerBury, |connection| {
            async move {
                let buried = diesel::sql_query(BURY)
                    .bind::<Array<Text>, _>(burials.iter().map(|burial| burial.receiver.as_str()).collect::<Vec<_>>())
                    .bind::<Array<Text>, _>(burials.iter().map(|burial| burial.reason.as_str()).collect::<Vec<_>>())
                    .bind::<Array<Nullable<Text>>, _>(
                        burials.iter().map(|burial| burial.fallback.as_deref()).collect::<Vec<_>>(),
                    )
                    .bind::<Array<Double>, _>(
                        burials.iter().map(|burial| burial.owed_for.as_secs_f64()).collect::<Vec<_>>(),
                    )
                    .bind::<BigInt, _>(MAX_BURIED);
                Ok(buried.load(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }

    /// Gives up what these receivers, each with its fallback, have been owed for longer than `deadline`, a step of at most 500.
    /// `within` names the deadline to people.
    pub async fn ledger_expire(
        &self,
        receivers: &[(String, Option<String>)],
        deadline: Duration,
        within: &str,
    ) -> Result<Vec<Buried>, StoreError> {
        self.run(Operation::LedgerBury, |connection| {
            async move {
                let expired = diesel::sql_query(EXPIRE)
                    .bind::<Array<Text>, _>(receivers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
                    .bind::<Array<Nullable<Text>>, _>(
                        receivers.iter().map(|(_, fallback)| fallback.as_deref()).collect::<Vec<_>>(),
                    )
                    .bind::<Text, _>(within)
                    .bind::<Double, _>(deadline.as_secs_f64())
                    .bind::<BigInt, _>(MAX_BURIED);
                Ok(expired.load(connection).await?)
            }
            .scope_boxed()
        })
        .await
    }
}
