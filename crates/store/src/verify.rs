//! Whether the state is as it must be: invariants, each a query for what breaks it.
//!
//! All are asked in one read-only transaction over one snapshot, so a busy worker disturbs neither the answer nor is
//! disturbed by the question. The role of the worker may ask.

mod invariants;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use secrecy::{ExposeSecret as _, SecretString};

pub use self::invariants::INVARIANTS;
use crate::{StoreError, connection};

/// Most examples of what breaks one invariant.
const MAX_EXAMPLES: i32 = 20;
/// Names us in Postgres' list of connections.
const SETUP: &str = "SET application_name = 'tocsin-verify'";

/// Something that holds at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    /// Its name, unique.
    pub name: &'static str,
    /// What holds, as a sentence.
    pub rule: &'static str,
    /// Gives a text `id` for each thing that breaks it.
    query: &'static str,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How many things break it.
    pub count: i64,
    /// The first of them, at most 20.
    pub examples: Vec<String>,
}

#[derive(QueryableByName)]
struct Broken {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Asks for everything that breaks one of [`INVARIANTS`], in their order. Takes as long as reading every table once.
pub async fn verify(url: &SecretString) -> Result<Vec<Violation>, StoreError> {
    let opened = connection::open(url.expose_secret(), SETUP).await;
    let mut connection = opened.map_err(|error| StoreError::Connect(Box::new(error)))?;
    connection
        .build_transaction()
        .repeatable_read()
        .read_only()
        .run(async |connection: &mut AsyncPgConnection| {
            let mut violations = Vec::new();
            for invariant in INVARIANTS {
                violations.extend(violation(connection, invariant).await?);
            }
            Ok(violations)
        })
        .await
}

async fn violation(connection: &mut AsyncPgConnection, invariant: &Invariant) -> Result<Option<Violation>, StoreError> {
    // The window counts what the limit leaves out.
    let query =
        format!("SELECT id, count(*) OVER () AS count FROM ({}) AS broken (id) ORDER BY id LIMIT $1", invariant.query);
    let broken: Vec<Broken> = diesel::sql_query(query).bind::<Integer, _>(MAX_EXAMPLES).load(connection).await?;
    let [Broken { count, .. }, ..] = broken.as_slice() else { return Ok(None) };
    let count = *count;
    let examples = broken.into_iter().map(|broken| broken.id).collect();
    Ok(Some(Violation { invariant: *invariant, count, examples }))
}
