//! Entries that cannot be applied, kept with their reason.

use std::collections::BTreeMap;

use diesel::sql_types::{Array, Jsonb, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::StoreError;

/// An entry that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The stream that it came from.
    pub stream: &'static str,
    /// Its id there.
    pub entry_id: String,
    /// What it held.
    pub fields: BTreeMap<String, String>,
    /// Why it cannot be applied.
    pub reason: String,
}

const INSERT: &str = "\
INSERT INTO dead_letters (stream, entry_id, fields, reason)
SELECT * FROM UNNEST($1, $2, $3, $4)
ON CONFLICT (stream, entry_id) DO NOTHING";

pub(crate) async fn dead_letters_insert_in_txn(
    connection: &mut AsyncPgConnection,
    letters: &[DeadLetter],
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    // Postgres cannot hold NUL, and a dead letter must always find its place.
    let clean = |text: &str| text.replace('\0', "\u{FFFD}");
    let fields = |letter: &DeadLetter| {
        letter.fields.iter().map(|(name, value)| (clean(name), clean(value).into())).collect::<serde_json::Map<_, _>>()
    };
    diesel::sql_query(INSERT)
        .bind::<Array<Text>, _>(letters.iter().map(|letter| letter.stream).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(letters.iter().map(|letter| letter.entry_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(letters.iter().map(|letter| fields(letter).into()).collect::<Vec<serde_json::Value>>())
        .bind::<Array<Text>, _>(letters.iter().map(|letter| clean(&letter.reason)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
