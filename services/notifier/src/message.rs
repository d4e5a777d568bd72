//! What is said of a story: plain texts, facts and links, before they are laid out and escaped for a provider.

mod variables;

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::{AlertStatus, IncidentSeverity, IncidentStatus, Labels};
use url::Url;

use crate::story::Story;
use crate::texts::Texts;

/// Most alerts that a message lists.
const MAX_ALERTS: usize = 20;
/// Longest address that becomes a link, in bytes: below Slack's 3,000 characters.
const MAX_LINK_BYTES: usize = 2_000;

/// A message to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The headline.
    pub(crate) title: String,
    /// The word for why somebody is told, such as `Resolved`.
    pub(crate) what: &'static str,
    /// What happened, as a sentence.
    pub(crate) news: String,
    /// What must be known before all else: that it is a test, or for somebody else.
    pub(crate) notes: Vec<String>,
    /// What it is about.
    pub(crate) summary: Option<String>,
    /// How it stands, in the order of importance.
    pub(crate) facts: Vec<(&'static str, Fact)>,
    /// What the alerts' labels have in common.
    pub(crate) labels: Labels,
    /// What fires; once nothing does, what fired.
    pub(crate) alerts: Vec<Line>,
    /// How many more there are than `alerts`.
    pub(crate) more: usize,
    /// Where to look.
    pub(crate) links: Vec<Link>,
    /// How it stands, as a colour.
    pub(crate) tone: Tone,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    Text(String),
    /// Shown in the reader's time zone where the provider can.
    Time(DateTime<Utc>),
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) url: Option<Url>,
}

/// An address that is safe to show as a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) url: Url,
}

/// How an incident stands, as a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Critical,
    High,
    Medium,
    Low,
    /// Somebody has taken it.
    Taken,
    /// It is over.
    Over,
}

impl Message {
    /// What is said of the story.
    pub(crate) fn of(story: &Story, texts: &Texts) -> Self {
        Self::about(story, story.kind, texts)
    }

    /// What is said of where the incident of the story stands, whatever happened last.
    pub(crate) fn of_state(story: &Story, texts: &Texts) -> Self {
        let kind = match story.record.incident.status {
            IncidentStatus::Triggered => NoticeKind::Triggered,
            IncidentStatus::Acknowledged => NoticeKind::Acknowledged,
            IncidentStatus::Resolved => NoticeKind::Resolved,
            IncidentStatus::Canceled => NoticeKind::Canceled,
        };
        Self::about(story, kind, texts)
    }

    fn about(story: &Story, kind: NoticeKind, texts: &Texts) -> Self {
        let listed = listed(story);
        let incident = &story.record.incident;
        let links = links(story);
        let variables = variables::of_incident(story, kind, &listed, &links);
        let total = if incident.firing.total() > 0 { incident.firing.total() } else { incident.alert_count };
        let lines = listed.iter().map(|alert| Line {
            text: texts.alert(&variables::of_alert(alert, &incident.labels)),
            url: alert.newest.source_url.as_deref().and_then(safe_link),
        });
        Self {
            title: texts.title(&variables),
            what: what(kind),
            news: texts.news(&variables),
            notes: notes(story),
            summary: texts.summary(&variables),
            facts: facts(story),
            labels: incident.labels.clone(),
            alerts: lines.collect(),
            more: usize::try_from(total).unwrap_or_default().saturating_sub(listed.len()),
            links,
            tone: tone(story),
        }
    }

    /// The first `count` alerts, and how many there are beside them.
    pub(crate) fn first_alerts(&self, count: usize) -> (&[Line], usize) {
        let shown = self.alerts.len().min(count);
        (&self.alerts[..shown], self.more + self.alerts.len() - shown)
    }
}

/// The alerts that a message lists: those that fire, the worst and oldest first; once none does, all that did.
fn listed(story: &Story) -> Vec<&tocsin_shared::board::Alert> {
    let fires = |alert: &&tocsin_shared::board::Alert| alert.status == AlertStatus::Firing;
    let mut alerts: Vec<_> = story.alerts.iter().filter(fires).collect();
    if alerts.is_empty() {
        alerts = story.alerts.iter().collect();
    }
    alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.newest.severity), alert.started_at, alert.id));
    alerts.truncate(MAX_ALERTS);
    alerts
}

fn notes(story: &Story) -> Vec<String> {
    let mut notes = Vec::new();
    if story.is_test {
        notes.push("This is a test of Tocsin. There is no incident, and nothing needs to be done.".to_owned());
    }
    if let Some(instead) = &story.instead_of {
        notes.push(format!("This could not be delivered to {}: {}", instead.receiver, instead.reason));
    }
    notes
}

fn facts(story: &Story) -> Vec<(&'static str, Fact)> {
    let incident = &story.record.incident;
    let mut facts = vec![("Severity", Fact::Text(incident.severity.to_string()))];
    if incident.alert_count > 0 {
        let alerts = if incident.alert_count == 1 { "alert" } else { "alerts" };
        let firing = format!("{} of {} {alerts}", incident.firing.total(), incident.alert_count);
        facts.push(("Firing", Fact::Text(firing)));
    }
    facts.push(("Since", Fact::Time(incident.triggered_at)));
    let by = |name: &'static str, by: &Option<String>| by.clone().map(|by| (name, Fact::Text(by)));
    if let Some(at) = incident.acknowledged_at {
        facts.push(("Acknowledged", Fact::Time(at)));
        facts.extend(by("Acknowledged by", &incident.acknowledged_by));
    }
    if let Some(at) = incident.resolved_at {
        let canceled = incident.status == IncidentStatus::Canceled;
        facts.push((if canceled { "Canceled" } else { "Resolved" }, Fact::Time(at)));
        facts.extend(by(if canceled { "Canceled by" } else { "Resolved by" }, &incident.resolved_by));
    }
    facts
}

/// The incident's page, and where the first alerts that say so are explained and shown.
fn links(story: &Story) -> Vec<Link> {
    let annotation = |names: &[&str]| {
        let mut all =
            listed(story).into_iter().flat_map(|alert| names.iter().map(|&name| alert.newest.annotations.get(name)));
        all.find_map(|url| safe_link(url?))
    };
    let source = listed(story).into_iter().find_map(|alert| safe_link(alert.newest.source_url.as_deref()?));
    [
        ("Incident", story.link.clone()),
        ("Runbook", annotation(&["runbook_url", "runbook"])),
        ("Dashboard", annotation(&["dashboard_url", "dashboardURL", "dashboard"])),
        ("Source", source),
    ]
    .into_iter()
    .filter_map(|(name, url)| Some(Link { name, url: url? }))
    .collect()
}

/// What a sender gave as an address, if it leads to a web page and to nothing else.
fn safe_link(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MAX_LINK_BYTES).then_some(url)
}

fn tone(story: &Story) -> Tone {
    let incident = &story.record.incident;
    match (incident.status, incident.severity) {
        (IncidentStatus::Resolved | IncidentStatus::Canceled, _) => Tone::Over,
        (IncidentStatus::Acknowledged, _) => Tone::Taken,
        (IncidentStatus::Triggered, IncidentSeverity::Critical) => Tone::Critical,
        (IncidentStatus::Triggered, IncidentSeverity::High) => Tone::High,
        (IncidentStatus::Triggered, IncidentSeverity::Medium) => Tone::Medium,
        (IncidentStatus::Triggered, IncidentSeverity::Low) => Tone::Low,
    }
}

fn sign(story: &Story, kind: NoticeKind) -> &'static str {
    match (kind, story.record.incident.status, tone(story)) {
        (NoticeKind::Flapping, ..) => "🔁",
        (_, IncidentStatus::Canceled, _) => "⚪",
        (_, _, Tone::Critical) => "🔴",
        (_, _, Tone::High) => "🟠",
        (_, _, Tone::Medium) => "🟡",
        (_, _, Tone::Low) => "🔵",
        (_, _, Tone::Taken) => "👀",
        (_, _, Tone::Over) => "🟢",
    }
}

/// The headline without its sign: the same for as long as the incident has its title.
pub(crate) fn subject(story: &Story, texts: &Texts) -> String {
    let (listed, links) = (listed(story), links(story));
    let mut variables = variables::of_incident(story, story.kind, &listed, &links);
    variables.sign = "";
    texts.title(&variables)
}

/// The word for why somebody is told.
pub(crate) const fn what(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Triggered => "Triggered",
        NoticeKind::Updated => "Updated",
        NoticeKind::Acknowledged => "Acknowledged",
        NoticeKind::Resolved => "Resolved",
        NoticeKind::Reopened => "Reopened",
        NoticeKind::Canceled => "Canceled",
        NoticeKind::Flapping => "Flapping",
        NoticeKind::Reminder => "Reminder",
        NoticeKind::Escalated => "Escalated",
        NoticeKind::Undelivered => "Undelivered elsewhere",
    }
}

/// A time as people in every time zone can read it.
pub(crate) fn utc(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A span of time in its two largest units.
fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
