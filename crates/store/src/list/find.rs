//! What has labels or a text: walked for, and found.

use diesel_async::AsyncPgConnection;

use super::Count;
use super::place::{Looked, Place};
use super::question::{Question, Slices};
use crate::page::Total;
use crate::{StoreError, Window};

/// Rows that are looked at first. What one row in five has fills a window among them.
const FIRST_WALK: i64 = 250;
/// Most rows that one request walks over after that, where no index helps.
const LONG_WALK: i64 = 10_000;
/// Most rows that the index for labels and texts may find at a time, unless a window needs more. Where few of them are in the
/// states that are listed, a walk costs less.
const MAX_FOUND: i64 = 2_000;
/// Most rows that are counted, or walked over, only to say how many there are.
const MAX_COUNTED: i64 = 500;
/// How many times as much time as the walk has covered is searched first, at most, and each time as before after that.
const MAX_STRETCH: i64 = 64;

/// Places of a window.
pub(super) struct Found<P> {
    pub(super) places: Vec<P>,
    pub(super) total: Total,
    pub(super) next: Option<P>,
}

/// What a walk or a search came to.
struct Walk<P> {
    /// What matches, newest first.
    places: Vec<P>,
    /// The newest that was looked at.
    newest: Option<P>,
    /// Where it stopped, unless at the end: everything from here on was looked at.
    stopped: Option<P>,
}

pub(super) async fn window<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    window: Window<P>,
) -> Result<Found<P>, StoreError> {
    let enough = usize::try_from(window.offset + window.limit).unwrap_or(usize::MAX);
    let mut walked = walk(connection, question, window.before, FIRST_WALK).await?;
    if !walked.is_enough(enough)
        && question.wanted.can_be_found()
        && let Some(found) = search(connection, question, window.before, &walked, enough).await?
    {
        walked = found;
    }
    if !walked.is_enough(enough) {
        walked = longer(connection, question, walked).await?;
    }
    let total = match window.before {
        None => counted(connection, question, &walked).await?,
        Some(_) => walked.at_least(),
    };
    Ok(walked.window(window, total))
}

/// How many there are, exactly if few are left to look at, or have the labels. (To count what has a text costs more than to show
/// a page of it.)
async fn counted<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    walked: &Walk<P>,
) -> Result<Total, StoreError> {
    let Total { count, .. } = walked.at_least();
    if walked.stopped.is_none() {
        return Ok(Total::exactly(count));
    }
    if let Some(labels) = question.count_by_labels(MAX_COUNTED) {
        let Count { count } = diesel_async::RunQueryDsl::get_result(labels, connection).await?;
        return Ok(Total::up_to(MAX_COUNTED, count));
    }
    // What is open, or fires, is seldom much more than that.
    let rest = walk(connection, question, walked.stopped, MAX_COUNTED).await?;
    let count = count + i64::try_from(rest.places.len()).unwrap_or(i64::MAX);
    Ok(Total { count, is_exact: rest.stopped.is_none() })
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
    Ok(Walk { places, newest: begun.newest, stopped: rest.stopped })
}

/// Searches the index from the newest backwards, a longer time each time, until there is enough, or nothing left. Nothing if too
/// many match for that: then a walk meets enough of them.
async fn search<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    before: Option<P>,
    walked: &Walk<P>,
    enough: usize,
) -> Result<Option<Walk<P>>, StoreError> {
    let (Some(newest), Some(oldest)) = (walked.newest, walked.stopped) else { return Ok(None) };
    let most = i64::try_from(enough).unwrap_or(i64::MAX).saturating_mul(2).max(MAX_FOUND);
    let mut places: Vec<P> = Vec::new();
    // Below this nothing was searched yet.
    let mut below = question.upper(before);
    let mut last_second = newest.seconds();
    let mut length = (last_second - oldest.seconds()).max(1).saturating_mul(stretch(walked.places.len(), enough));
    loop {
        let slices = Slices::back_from(last_second, length);
        let Some(found) = find(connection, question, below, slices.as_ref(), most).await? else { return Ok(None) };
        let few = found.len();
        places.extend(found);
        let begin = slices.map(|slices| slices.first_second());
        let is_end = |begin: &i64| question.least.is_some_and(|least| P::first_at_second(*begin) <= least);
        let Some(begin) = begin.filter(|begin| !is_end(begin)) else {
            return Ok(Some(Walk { places, newest: Some(newest), stopped: None }));
        };
        let stopped = P::first_at_second(begin);
        if places.len() > enough {
            return Ok(Some(Walk { places, newest: Some(newest), stopped: Some(stopped) }));
        }
        (below, last_second) = (Some(stopped), begin - 1);
        length = length.saturating_mul(stretch(few, enough + 1 - places.len()));
    }
}

/// How many times as long a time must be in which `wanted` may be found, if `found` were in this one.
fn stretch(found: usize, wanted: usize) -> i64 {
    // Half as many again: they are not spread evenly.
    let times = wanted.saturating_mul(3).checked_div(found.saturating_mul(2)).unwrap_or(usize::MAX);
    i64::try_from(times).unwrap_or(i64::MAX).clamp(2, MAX_STRETCH)
}

async fn walk<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    from: Option<P>,
    most: i64,
) -> Result<Walk<P>, StoreError> {
    let looked = P::looked(question.walk(from, most), connection).await?;
    let newest = looked.first().map(|first| first.place);
    let stopped = looked.last().filter(|last| last.of_all == most).map(|last| last.place);
    Ok(Walk { places: matching(question, looked), newest, stopped })
}

/// All that match below this place and in these slices of time, or ever; newest first. Nothing if they are too many.
async fn find<P: Place>(
    connection: &mut AsyncPgConnection,
    question: &Question<'_, P>,
    below: Option<P>,
    slices: Option<&Slices>,
    most: i64,
) -> Result<Option<Vec<P>>, StoreError> {
    let looked = P::looked(question.find(below, slices, most), connection).await?;
    if looked.first().is_some_and(|first| first.of_all > most) {
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

    /// How many there are at least.
    fn at_least(&self) -> Total {
        Total { count: i64::try_from(self.places.len()).unwrap_or(i64::MAX), is_exact: false }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_many_times_as_long_as_what_was_found_promises() {
        for (found, wanted, times) in [(0, 51, 64), (1, 51, 64), (10, 51, 7), (50, 1, 2), (usize::MAX, usize::MAX, 2)] {
            assert_eq!(stretch(found, wanted), times, "{found} of {wanted}");
        }
    }
}
