//! Where a row stands in the order of its list: what a cursor holds.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::StoreError;
use crate::statement::Statement;

/// A row that was looked at.
#[derive(Debug)]
pub(crate) struct Looked<P> {
    pub(crate) place: P,
    /// Whether it passes what Postgres can tell.
    pub(crate) matches: bool,
    /// The labels that we ask about ourselves.
    pub(crate) asked: Vec<Option<String>>,
    /// How many were looked at in all.
    pub(crate) of_all: i64,
}

/// The order of a list.
pub(crate) trait Place: Copy + Ord + Send + Sync + 'static {
    /// The columns that give the order; an index ends with them.
    const COLUMNS: &'static str;
    /// From the newest to the oldest.
    const NEWEST_FIRST: &'static str;
    /// The other way round.
    const OLDEST_FIRST: &'static str;
    /// The one among them that names a row by itself.
    const NAME: &'static str;

    /// Adds a comparison of the columns with this place.
    fn compared<'a>(self, operator: &'static str, statement: Statement<'a>) -> Statement<'a>;

    /// Adds the names of these places, as an array.
    fn named(places: Vec<Self>, statement: Statement<'_>) -> Statement<'_>;

    /// Asks for rows that were looked at.
    fn looked(
        statement: Statement<'_>,
        connection: &mut AsyncPgConnection,
    ) -> impl Future<Output = Result<Vec<Looked<Self>>, StoreError>> + Send;
}

/// The place of an incident: when it was made, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IncidentPlace {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its number.
    pub number: i64,
}

impl IncidentPlace {
    /// Before all that were made at this time, after all that were made earlier.
    pub(crate) const fn first_at(created_at: DateTime<Utc>) -> Self {
        Self { created_at, number: i64::MIN }
    }
}

impl fmt::Display for IncidentPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.timestamp_micros(), self.number)
    }
}

/// What is no place of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place of an incident")]
pub struct NoPlace;

impl FromStr for IncidentPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (micros, number) = text.split_once('.').ok_or(NoPlace)?;
        let created_at = DateTime::from_timestamp_micros(micros.parse().map_err(|_| NoPlace)?).ok_or(NoPlace)?;
        Ok(Self { created_at, number: number.parse().map_err(|_| NoPlace)? })
    }
}

#[derive(QueryableByName)]
struct LookedAtIncident {
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Bool)]
    matches: bool,
    #[diesel(sql_type = Array<Nullable<Text>>)]
    asked: Vec<Option<String>>,
    #[diesel(sql_type = BigInt)]
    looked: i64,
}

impl Place for IncidentPlace {
    const COLUMNS: &'static str = "created_at, number";
    const NEWEST_FIRST: &'static str = "created_at DESC, number DESC";
    const OLDEST_FIRST: &'static str = "created_at, number";
    const NAME: &'static str = "number";

    fn compared<'a>(self, operator: &'static str, statement: Statement<'a>) -> Statement<'a> {
        statement
            .sql("(created_at, number) ")
            .sql(operator)
            .sql(" (")
            .bind::<Timestamptz, _>(self.created_at)
            .sql(", ")
            .bind::<BigInt, _>(self.number)
            .sql(")")
    }

    fn named(places: Vec<Self>, statement: Statement<'_>) -> Statement<'_> {
        statement.bind::<Array<BigInt>, _>(places.into_iter().map(|place| place.number).collect::<Vec<_>>())
    }

    async fn looked(
        statement: Statement<'_>,
        connection: &mut AsyncPgConnection,
    ) -> Result<Vec<Looked<Self>>, StoreError> {
        let rows: Vec<LookedAtIncident> = statement.load(connection).await?;
        let looked = |row: LookedAtIncident| Looked {
            place: Self { created_at: row.created_at, number: row.number },
            matches: row.matches,
            asked: row.asked,
            of_all: row.looked,
        };
        Ok(rows.into_iter().map(looked).collect())
    }
}

#[derive(QueryableByName)]
struct LookedAtId {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bool)]
    matches: bool,
    #[diesel(sql_type = Array<Nullable<Text>>)]
    asked: Vec<Option<String>>,
    #[diesel(sql_type = BigInt)]
    looked: i64,
}

/// Ids are made in the order of time.
impl Place for Uuid {
    const COLUMNS: &'static str = "id";
    const NEWEST_FIRST: &'static str = "id DESC";
    const OLDEST_FIRST: &'static str = "id";
    const NAME: &'static str = "id";

    fn compared<'a>(self, operator: &'static str, statement: Statement<'a>) -> Statement<'a> {
        statement.sql("id ").sql(operator).sql(" ").bind::<SqlUuid, _>(self)
    }

    fn named(places: Vec<Self>, statement: Statement<'_>) -> Statement<'_> {
        statement.bind::<Array<SqlUuid>, _>(places)
    }

    async fn looked(
        statement: Statement<'_>,
        connection: &mut AsyncPgConnection,
    ) -> Result<Vec<Looked<Self>>, StoreError> {
        let rows: Vec<LookedAtId> = statement.load(connection).await?;
        let looked =
            |row: LookedAtId| Looked { place: row.id, matches: row.matches, asked: row.asked, of_all: row.looked };
        Ok(rows.into_iter().map(looked).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        let place = IncidentPlace { created_at: "2026-01-02T03:04:05.678901Z".parse().unwrap(), number: 42 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "5", "5.", ".5", "x.5", "5.x", "99999999999999999999.1"] {
            assert_eq!(text.parse::<IncidentPlace>(), Err(NoPlace), "{text}");
        }
    }

    #[test]
    fn places_are_in_the_order_of_time_and_then_of_number() {
        let at = |micros: i64, number| IncidentPlace {
            created_at: DateTime::from_timestamp_micros(micros).unwrap(),
            number,
        };
        assert!(at(1, 9) < at(2, 1) && at(2, 1) < at(2, 2));
        assert!(at(1, i64::MAX) < IncidentPlace::first_at(at(2, 0).created_at));
        assert!(IncidentPlace::first_at(at(2, 0).created_at) < at(2, 1));
    }
}
