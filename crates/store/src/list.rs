//! Lists of tables of any size, newest first: what a request costs depends on what it shows, not on what there is.
//!
//! **Along an index.** Filters by state (status, severity, source, receiver) and time are ranges of an index that has the list's
//! order: a window is a merge of so many ranges, each read as far as the window reaches. Nothing is sorted or skipped.
//!
//! **Labels and texts** no index has in that order. Such a list first *walks* along the same ranges and looks at 250 rows: that
//! fills the window if what is wanted is common. If it does not, the index for labels and texts is *searched* from the newest
//! backwards: it has the time of a row as well, in slices, so that a search reads what matches in a part of the time and nothing
//! else. Each part is as many times as long as what was found before promises. Where more than two thousand rows match in one,
//! or no index helps (a regular expression, what is unequal, a text of one or two characters), it walks on for ten thousand
//! rows, and gives what it has found by then with a cursor for the rest: a page may be short, or empty, and is not the last one
//! as long as it has a cursor.
//!
//! **Totals** are sums of counters (`tally.rs`) where a filter is by state alone. With a time they are counted as far as ten
//! thousand; with labels alone as far as five hundred; otherwise among the rows that were looked at and five hundred more. They
//! say if they are a lower bound.

mod find;
mod place;
mod question;

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub(crate) use self::place::Place;
pub use self::place::{IncidentPlace, NoPlace};
pub(crate) use self::question::{Question, Ranges, Terms, Wanted};
use crate::page::Total;
use crate::statement::Statement;
use crate::tally::tally_read;
use crate::{StoreError, Window};

/// Furthest that matching rows are counted.
const MAX_COUNT: i64 = 10_000;

/// A window, before its rows are what they are of.
pub(crate) struct Rows<R, P> {
    pub(crate) items: Vec<R>,
    pub(crate) total: Total,
    /// Where the rest begins.
    pub(crate) next: Option<P>,
}

/// The names of what is chosen, or of all if nothing is.
pub(crate) fn chosen<T: Copy>(choices: &[T], all: &[T], name: impl Fn(T) -> &'static str) -> Vec<String> {
    let choices = if choices.is_empty() { all } else { choices };
    choices.iter().map(|choice| name(*choice).to_owned()).collect()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The rows of a window; `place` says where a row stands.
pub(crate) async fn list<P, R>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    window: Window<P>,
    place: fn(&R) -> P,
) -> Result<Rows<R, P>, StoreError>
where
    P: Place,
    R: QueryableByName<Pg> + Send + 'static,
{
    if question.wanted.is_anything() {
        return along_index(connection, question, window, place).await;
    }
    // The rows are to be those that were found, whatever happens meanwhile.
    connection
        .build_transaction()
        .repeatable_read()
        .read_only()
        .run(async |connection: &mut AsyncPgConnection| {
            let found = find::window(connection, question, window).await?;
            let rows = if found.places.is_empty() {
                Vec::new()
            } else {
                question.rows_at(found.places).load(connection).await?
            };
            Ok(Rows { items: rows, total: found.total, next: found.next })
        })
        .await
}

async fn along_index<P, R>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    window: Window<P>,
    place: fn(&R) -> P,
) -> Result<Rows<R, P>, StoreError>
where
    P: Place,
    R: QueryableByName<Pg> + Send + 'static,
{
    let total = total(connection, question).await?;
    let from = question.upper(window.before);
    let mut rows: Vec<R> = question.rows(from, window.offset, window.limit + 1).load(connection).await?;
    let limit = usize::try_from(window.limit).unwrap_or_default();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(place);
    Ok(Rows { items: rows, total, next })
}

async fn total<P: Place>(connection: &mut AsyncPgConnection, question: &Question<'_, P>) -> Result<Total, StoreError> {
    if let Some(of) = question.tally.filter(|_| !question.is_bounded()) {
        return Ok(Total::exactly(tally_read(connection, of, question.ranges.as_ref()).await?));
    }
    let candidates = question.candidates(Statement::new("SELECT count(*) AS count FROM ("), None, MAX_COUNT + 1);
    let counted: Count = candidates.sql(") AS counted").get_result(connection).await?;
    Ok(Total::up_to(MAX_COUNT, counted.count))
}
