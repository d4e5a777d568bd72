//! How a monitor's state changed: `$ALERT_TRANSITION`, or what Datadog writes before an event's title.

/// How a monitor's state changed. A repeat (`Re-Triggered`, `Renotify`) counts as what it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    Triggered,
    Warn,
    NoData,
    Recovered,
    WarnRecovered,
}

/// The words for each; a word comes before those that it begins with.
const WORDS: [(&str, Transition); 7] = [
    ("warn recovered", Transition::WarnRecovered),
    ("no data recovered", Transition::WarnRecovered),
    ("recovered", Transition::Recovered),
    ("triggered", Transition::Triggered),
    ("renotify", Transition::Triggered),
    ("warn", Transition::Warn),
    ("no data", Transition::NoData),
];

impl Transition {
    /// Reads `$ALERT_TRANSITION`.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        Self::split(text).map(|(transition, _)| transition)
    }

    /// Reads a transition and whatever follows it, such as `Triggered on {host:web-1}`.
    fn split(text: &str) -> Option<(Self, &str)> {
        let text = text.trim();
        let text = without_prefix(text, "re-").unwrap_or(text);
        WORDS.iter().find_map(|&(word, transition)| {
            let rest = without_prefix(text, word)?;
            (rest.is_empty() || rest.starts_with(' ')).then_some((transition, rest.trim()))
        })
    }
}

/// What follows `prefix`, which is ASCII, whatever its case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// An event's title, such as `[P1] [Triggered on {host:web-1}] CPU is high`, taken apart: its name is the same when the
/// alert fires and when it recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headline<'a> {
    /// The state's change, if the title says so.
    pub(super) transition: Option<Transition>,
    /// Which of the monitor's groups it is about, such as `on {host:web-1}`; empty if it has none.
    pub(super) group: &'a str,
    /// The monitor's name.
    pub(super) name: &'a str,
}

impl<'a> Headline<'a> {
    pub(super) fn of(title: &'a str) -> Self {
        let mut headline = Headline { transition: None, group: "", name: title.trim() };
        while let Some((mark, rest)) = headline.name.strip_prefix('[').and_then(|text| text.split_once(']')) {
            let rest = rest.trim_start();
            match Transition::split(mark) {
                // A title of nothing but marks keeps the last.
                _ if rest.is_empty() => break,
                Some((transition, group)) if headline.transition.is_none() => {
                    headline = Headline { transition: Some(transition), group, name: rest };
                }
                None if is_priority(mark) => headline.name = rest,
                _ => break,
            }
        }
        headline
    }

    /// The tags that make the group.
    pub(super) fn tags(&self) -> Option<&'a str> {
        self.group.strip_prefix("on {")?.strip_suffix('}')
    }
}

fn is_priority(mark: &str) -> bool {
    matches!(mark, "P1" | "P2" | "P3" | "P4" | "P5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_transition_is_known() {
        let known = [
            ("Triggered", Transition::Triggered),
            ("Re-Triggered", Transition::Triggered),
            ("Renotify", Transition::Triggered),
            ("Warn", Transition::Warn),
            ("Re-Warn", Transition::Warn),
            ("No Data", Transition::NoData),
            ("Re-No Data", Transition::NoData),
            ("Recovered", Transition::Recovered),
            ("Warn Recovered", Transition::WarnRecovered),
            ("No data recovered", Transition::WarnRecovered),
        ];
        for (text, transition) in known {
            assert_eq!(Transition::of_text(text), Some(transition), "{text}");
        }
        for unknown in ["", "Null", "Warning", "ünknown", "Muted"] {
            assert_eq!(Transition::of_text(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_title_names_the_tags_of_its_group() {
        assert_eq!(Headline::of("[Triggered on {env:prod,host:a}] T").tags(), Some("env:prod,host:a"));
        assert_eq!(Headline::of("[Triggered] T").tags(), None);
    }

    #[test]
    fn a_title_is_taken_apart() {
        let parts = |title| {
            let Headline { transition, group, name } = Headline::of(title);
            (transition, group, name)
        };
        let (triggered, recovered) = (Some(Transition::Triggered), Some(Transition::Recovered));
        assert_eq!(
            parts("[P1] [Triggered on {host:web-1}] CPU is high"),
            (triggered, "on {host:web-1}", "CPU is high")
        );
        assert_eq!(parts("[Recovered on {host:web-1}] CPU is high"), (recovered, "on {host:web-1}", "CPU is high"));
        assert_eq!(parts("[Triggered] [Memory Alert]"), (triggered, "", "[Memory Alert]"));
        assert_eq!(parts("[Warning system] down"), (None, "", "[Warning system] down"));
        assert_eq!(parts("[Triggered]"), (None, "", "[Triggered]"));
        assert_eq!(parts("CPU is high"), (None, "", "CPU is high"));
        assert_eq!(parts("[unclosed"), (None, "", "[unclosed"));
    }
}
