//! What Sentinels say, and what to make of it.

use std::collections::HashMap;

use super::Primary;

/// What one Sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) primary: Primary,
    /// Counts the failovers: of two configurations the one with the higher number is the newer.
    pub(super) epoch: u64,
}

impl Answer {
    /// From `SENTINEL GET-MASTER-ADDR-BY-NAME`, which names the new primary as soon as there is one, and `SENTINEL MASTER`,
    /// which has the epoch.
    pub(super) fn read(address: Option<(String, u16)>, fields: &HashMap<String, String>) -> Option<Self> {
        let (host, port) = address?;
        let epoch = fields.get("config-epoch")?.parse().ok()?;
        Some(Self { primary: Primary { host, port }, epoch })
    }
}

/// The newest answer; of several that are as new, the one that most give. An answer older than what is `known` counts only
/// if more than half of all `sentinels` give it: they may have been set up anew.
pub(super) fn choose(answers: &[Answer], sentinels: usize, known: Option<u64>) -> Option<&Answer> {
    let votes = |answer: &Answer| answers.iter().filter(|other| *other == answer).count();
    let counts = |answer: &&Answer| known.is_none_or(|known| answer.epoch >= known) || 2 * votes(answer) > sentinels;
    answers.iter().filter(counts).max_by_key(|answer| (answer.epoch, votes(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(host: &str, epoch: u64) -> Answer {
        Answer { primary: Primary { host: host.to_owned(), port: 6379 }, epoch }
    }

    fn chosen(answers: &[(&str, u64)], known: Option<u64>) -> Option<String> {
        let answers: Vec<_> = answers.iter().map(|(host, epoch)| answer(host, *epoch)).collect();
        choose(&answers, 3, known).map(|answer| answer.primary.host.clone())
    }

    #[test]
    fn the_newest_configuration_wins_against_any_number_of_older_ones() {
        assert_eq!(chosen(&[("old", 1), ("new", 2), ("old", 1)], None).as_deref(), Some("new"));
        assert_eq!(chosen(&[("old", 1), ("new", 2), ("old", 1)], Some(1)).as_deref(), Some("new"));
    }

    #[test]
    fn of_configurations_of_the_same_age_the_majority_wins() {
        assert_eq!(chosen(&[("a", 1), ("b", 1), ("b", 1)], None).as_deref(), Some("b"));
    }

    #[test]
    fn a_sentinel_that_missed_a_failover_is_not_believed_alone() {
        assert_eq!(chosen(&[("old", 1)], Some(2)), None);
        assert_eq!(chosen(&[], Some(2)), None);
        assert_eq!(chosen(&[("fresh", 0), ("fresh", 0)], Some(2)).as_deref(), Some("fresh"), "set up anew");
    }

    #[test]
    fn an_answer_needs_an_address_and_an_epoch() {
        let fields = HashMap::from([("config-epoch".to_owned(), "7".to_owned())]);
        let address = Some(("10.0.0.1".to_owned(), 6379));
        assert_eq!(Answer::read(address.clone(), &fields).map(|answer| answer.epoch), Some(7));
        assert_eq!(Answer::read(None, &fields), None);
        assert_eq!(Answer::read(address, &HashMap::new()), None);
    }
}
