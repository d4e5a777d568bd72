//! What has changed in the state: worker → api, for those who watch. The stream is capped and no more than a hint: the state in
//! Postgres is the truth, and who finds a gap here looks there.
//!
//! No consumer group: every api reads all of it, from where it is, by one connection that blocks.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use redis::AsyncCommands as _;
use redis::streams::{StreamId, StreamRangeReply, StreamReadOptions, StreamReadReply};
use tocsin_shared::{IncidentId, SilenceId};

use crate::connection::{Pool, Probe, within};
use crate::{BusConfig, BusError, keys};

/// Most ids of one kind in an entry.
pub(crate) const MAX_IDS: usize = 250;
/// Most entries that are read at once.
const MAX_READ: usize = 100;
/// One connection that waits for entries, and two for those who resume.
const CONNECTIONS: u32 = 3;
/// The position before every entry.
const BEGINNING: &str = "0-0";

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Incidents that were opened or changed.
    pub incidents: Vec<IncidentId>,
    /// Silences that were made, ended or deleted.
    pub silences: Vec<SilenceId>,
    /// Whether there are more or fewer dead letters.
    pub dead_letters: bool,
    /// Whether something could not be told before this: whoever watches looks at everything anew.
    pub gap: bool,
}

impl Change {
    /// The same in entries that are not too long.
    #[must_use]
    pub fn in_entries(self) -> Vec<Self> {
        let entries = self.incidents.len().div_ceil(MAX_IDS).max(self.silences.len().div_ceil(MAX_IDS)).max(1);
        let part = |index: usize| Self {
            incidents: self.incidents.iter().skip(index * MAX_IDS).take(MAX_IDS).copied().collect(),
            silences: self.silences.iter().skip(index * MAX_IDS).take(MAX_IDS).copied().collect(),
            dead_letters: self.dead_letters && index == 0,
            gap: self.gap && index == 0,
        };
        (0..entries).map(part).collect()
    }

    pub(crate) fn to_fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("v", "1".to_owned())];
        fields.extend((!self.incidents.is_empty()).then(|| ("incidents", joined(&self.incidents))));
        fields.extend((!self.silences.is_empty()).then(|| ("silences", joined(&self.silences))));
        fields.extend(self.dead_letters.then(|| ("dead_letters", "1".to_owned())));
        fields.extend(self.gap.then(|| ("gap", "1".to_owned())));
        fields
    }

    /// Of what cannot be read (an entry of a later version, perhaps) it is only known that something has changed.
    fn from_fields(fields: &HashMap<String, redis::Value>) -> Self {
        let text = |name: &str| match fields.get(name) {
            Some(value) => redis::from_redis_value_ref::<String>(value).ok(),
            None => Some(String::new()),
        };
        let read = || {
            Some(Self {
                incidents: split(&text("incidents")?)?,
                silences: split(&text("silences")?)?,
                dead_letters: !text("dead_letters")?.is_empty(),
                gap: !text("gap")?.is_empty(),
            })
        };
        let known = text("v").is_some_and(|version| version == "1");
        known.then(read).flatten().unwrap_or(Self { gap: true, ..Self::default() })
    }
}

fn joined(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn split<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
}

/// The reading end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Changes {
    pool: Pool,
    timeout: Duration,
    key: String,
}

impl Changes {
    /// Connects when first used.
    pub fn new(config: &BusConfig) -> Result<Self, BusError> {
        let pool = Pool::new(config, CONNECTIONS, Probe::Never)?;
        Ok(Self { pool, timeout: config.command_timeout, key: keys::changes(&config.prefix) })
    }

    /// The position behind the newest entry.
    pub async fn position(&self) -> Result<String, BusError> {
        let mut connection = self.pool.get().await?;
        let newest: StreamRangeReply = within(self.timeout, connection.xrevrange_count(&self.key, "+", "-", 1)).await?;
        Ok(newest.ids.into_iter().next().map_or_else(|| BEGINNING.to_owned(), |entry| entry.id))
    }

    /// Waits up to `block` for entries behind `position`, with the position of each.
    pub async fn read(&self, position: &str, block: Duration) -> Result<Vec<(String, Change)>, BusError> {
        let mut connection = self.pool.get().await?;
        let millis = usize::try_from(block.as_millis()).unwrap_or(usize::MAX);
        let options = StreamReadOptions::default().count(MAX_READ).block(millis);
        let (keys, positions) = ([&self.key], [position]);
        let reading = connection.xread_options(&keys, &positions, &options);
        let reply: Option<StreamReadReply> = within(block + self.timeout, reading).await?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        Ok(entries.map(entry).collect())
    }

    /// What came behind a position that was told before; `None` if that is not known any more, or more than `max` entries.
    pub async fn since(&self, position: &str, max: usize) -> Result<Option<Vec<(String, Change)>>, BusError> {
        let mut connection = self.pool.get().await?;
        let range = connection.xrange_count(&self.key, position, "+", max + 2);
        let reply: StreamRangeReply = within(self.timeout, range).await?;
        let mut entries = reply.ids.into_iter().peekable();
        // The entry itself must still be there: what was cut off together with it might be what is asked for.
        if position != BEGINNING && entries.next_if(|first| first.id == position).is_none() {
            return Ok(None);
        }
        let entries: Vec<_> = entries.map(entry).collect();
        Ok((entries.len() <= max).then_some(entries))
    }
}

/// Whether a text is a position that may have been told by [`Changes`].
#[must_use]
pub fn is_position(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.parse::<u64>().is_ok_and(|number| number.to_string() == part);
    text.split_once('-').is_some_and(|(time, sequence)| is_number(time) && is_number(sequence))
}

fn entry(entry: StreamId) -> (String, Change) {
    let change = Change::from_fields(&entry.map);
    (entry.id, change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let change = Change {
            incidents: vec![IncidentId::generate(), IncidentId::generate()],
            silences: vec![SilenceId::generate()],
            dead_letters: true,
            gap: false,
        };
        for change in [change, Change::default(), Change { gap: true, ..Change::default() }] {
            let fields = change.to_fields().into_iter();
            let map = fields.map(|(name, value)| (name.to_owned(), redis::Value::BulkString(value.into_bytes())));
            assert_eq!(Change::from_fields(&map.collect()), change);
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_gap() {
        let fields = |pairs: &[(&str, &str)]| {
            let value = |text: &str| redis::Value::BulkString(text.as_bytes().to_vec());
            pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect::<HashMap<_, _>>()
        };
        let gap = Change { gap: true, ..Change::default() };
        for pairs in [&[("v", "2")][..], &[], &[("v", "1"), ("incidents", "7")]] {
            assert_eq!(Change::from_fields(&fields(pairs)), gap, "{pairs:?}");
        }
        assert_eq!(Change::from_fields(&fields(&[("v", "1"), ("later", "x")])), Change::default());
    }

    #[test]
    fn many_ids_make_several_entries() {
        let ids: Vec<_> = (0..=MAX_IDS).map(|_| IncidentId::generate()).collect();
        let whole = Change { incidents: ids.clone(), dead_letters: true, ..Change::default() };
        let [first, second] = whole.in_entries().try_into().unwrap();
        assert_eq!((first.incidents.len(), second.incidents.as_slice()), (MAX_IDS, &ids[MAX_IDS..]));
        assert!(first.dead_letters && !second.dead_letters);
        assert_eq!(Change::default().in_entries().len(), 1);
    }

    #[test]
    fn a_position_is_two_numbers() {
        assert!(is_position("0-0") && is_position("1764240000000-12"));
        for other in ["", "-", "1", "1-", "-1", "1-1-1", "+-1", "01-1", "$", "99999999999999999999-1", "1-1\n"] {
            assert!(!is_position(other), "{other}");
        }
    }
}
