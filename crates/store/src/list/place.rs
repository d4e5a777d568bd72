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

    /// Seconds since 1970: the index for labels and texts has them.
    fn seconds(self) -> i64;

    /// Before all places of this second, and after all of the one before.
    fn first_at_second(seconds: i64) -> Self;

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

    fn seconds(self) -> i64 {
        self.created_at.timestamp()
    }

    fn first_at_second(seconds: i64) -> Self {
        Self::first_at(DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MIN_UTC))
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

/// An id is a UUID of version 7: its first 48 bits are milliseconds since 1970.
const ID_TIME_SHIFT: u32 = 80;
const ID_TICKS_PER_SECOND: u128 = 1_000;

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

    fn seconds(self) -> i64 {
        i64::try_from((self.as_u128() >> ID_TIME_SHIFT) / ID_TICKS_PER_SECOND).unwrap_or(i64::MAX)
    }

    fn first_at_second(seconds: i64) -> Self {
        Self::from_u128((u128::try_from(seconds).unwrap_or(0) * ID_TICKS_PER_SECOND) << ID_TIME_SHIFT)
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
    fn a_second_begins_before_its_places() {
        let at = |micros: i64, number| IncidentPlace {
            created_at: DateTime::from_timestamp_micros(micros).unwrap(),
            number,
        };
        assert_eq!(at(1_999_999, 5).seconds(), 1);
        assert!(at(999_999, 9) < IncidentPlace::first_at_second(1));
        assert!(IncidentPlace::first_at_second(1) < at(1_000_000, 0));
        let id = |text: &str| text.parse::<Uuid>().unwrap();
        let (before, after) = (id("00000000-03e7-7fff-bfff-ffffffffffff"), id("00000000-03e8-7000-8000-000000000000"));
        assert_eq!((before.seconds(), after.seconds()), (0, 1));
        assert!(before < Uuid::first_at_second(1) && Uuid::first_at_second(1) < after);
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
