//! What has labels or a text: walked for, and found.

use diesel_async::AsyncPgConnection;

use super::place::{Looked, Place};
use super::question::Question;
use crate::page::Total;
use crate::{StoreError, Window};

/// Rows that are looked at first. What one row in twenty has fills a window among them.
const FIRST_WALK: i64 = 1_000;
/// Most rows that one request walks over after that.
const LONG_WALK: i64 = 10_000;
/// How many times as long the long one is.
const LONG_OVER_FIRST: usize = 10;
/// Most rows that the indexes for labels and texts may find.
const MAX_FOUND: i64 = 10_000;

/// Places of a window.
pub(super) struct Found<P> {
    pub(super) places: Vec<P>,
    pub(super) total: Total,
    pub(super) next: Option<P>,
}

/// What a walk came to.
struct Walk<P> {
    /// What matches, newest first.
    places: Vec<P>,
    /// Where it stopped, unless at the end.
    stopped: Option<P>,
}

pub(super) async fn window<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    window: Window<P>,
) -> Result<Found<P>, StoreError> {
    let enough = usize::try_from(window.offset + window.limit).unwrap_or(usize::MAX);
    let mut walked = walk(connection, question, window.before, FIRST_WALK).await?;
    // As many as there were so far may well fill the window on a longer walk; else all of them at once cost less.
    let seems_common = walked.places.len() * LONG_OVER_FIRST >= enough;
    if !walked.is_enough(enough) && seems_common {
        walked = longer(connection, question, walked).await?;
    }
    if !walked.is_enough(enough)
        && question.wanted.can_be_found()
        && let Some(all) = find(connection, question).await?
    {
        let total = Total::exactly(i64::try_from(all.len()).unwrap_or(i64::MAX));
        let places = all.into_iter().filter(|place| window.before.is_none_or(|before| *place < before)).collect();
        return Ok(Walk { places, stopped: None }.window(window, total));
    }
    if !walked.is_enough(enough) && !seems_common {
        walked = longer(connection, question, walked).await?;
    }
    let total = match window.before {
        None => walked.total(),
        Some(_) => walk(connection, question, None, FIRST_WALK).await?.total(),
    };
    Ok(walked.window(window, total))
}

/// Walks on.
async fn longer<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    begun: Walk<P>,
) -> Result<Walk<P>, StoreError> {
    let mut places = begun.places;
    let rest = walk(connection, question, begun.stopped, LONG_WALK).await?;
    places.extend(rest.places);
    Ok(Walk { places, stopped: rest.stopped })
}

async fn walk<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    from: Option<P>,
    most: i64,
) -> Result<Walk<P>, StoreError> {
    let looked = P::looked(question.walk(from, most), connection).await?;
    let stopped = looked.last().filter(|last| last.of_all == most).map(|last| last.place);
    Ok(Walk { places: matching(question, looked), stopped })
}

/// All that match, newest first; nothing if they are too many.
async fn find<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
) -> Result<Option<Vec<P>>, StoreError> {
    let looked = P::looked(question.find(MAX_FOUND), connection).await?;
    if looked.first().is_some_and(|first| first.of_all > MAX_FOUND) {
        return Ok(None);
    }
    let mut places = matching(question, looked);
    places.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Some(places))
}

/// Those that match by what we look at ourselves as well.
fn matching<P: Place>(question: &Question<'_, P>, looked: Vec<Looked<P>>) -> Vec<P> {
    let asked = &question.wanted.matchers;
    let matches = |row: &Looked<P>| {
        let values = row.asked.iter().map(|value| value.as_deref().unwrap_or_default());
        row.matches && asked.iter().zip(values).all(|(matcher, value)| matcher.matches_value(value))
    };
    looked.into_iter().filter(matches).map(|row| row.place).collect()
}

impl<P: Place> Walk<P> {
    /// Whether it need not go on to fill a window, and to know whether there is more.
    fn is_enough(&self, enough: usize) -> bool {
        self.places.len() > enough || self.stopped.is_none()
    }

    /// Of a walk that began with the newest.
    fn total(&self) -> Total {
        Total { count: i64::try_from(self.places.len()).unwrap_or(i64::MAX), is_exact: self.stopped.is_none() }
    }

    /// The window on what it came to.
    fn window(self, window: Window<P>, total: Total) -> Found<P> {
        let number = |number: i64| usize::try_from(number).unwrap_or_default();
        let mut rest = self.places.into_iter().skip(number(window.offset));
        let places: Vec<P> = rest.by_ref().take(number(window.limit)).collect();
        let next = if rest.next().is_some() { places.last().copied() } else { self.stopped };
        Found { places, total, next }
    }
}
