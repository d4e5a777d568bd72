//! What is said of a story: plain texts, facts and links, before they are laid out and escaped for a provider.

mod variables;

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_shared::board::Alert;
use tocsin_shared::ledger::NoticeKind;
use tocsin_shared::template::Variables;
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
    /// What is said of `alerts`.
    pub(crate) heading: &'static str,
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
    /// Our own words.
    Text(String),
    /// What somebody is called, which may hold anything.
    Name(String),
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
        Self::about(story, told_kind(story), texts)
    }

    /// What is said of where the incident of the story stands, whatever happened last.
    pub(crate) fn of_state(story: &Story, texts: &Texts) -> Self {
        Self::about(story, state_kind(story.record.incident.status), texts)
    }

    fn about(story: &Story, kind: NoticeKind, texts: &Texts) -> Self {
        let alerts = listed(story);
        let incident = &story.record.incident;
        let links = links(story);
        let variables = Variables::of(&variables::of_incident(story, kind, &alerts, &links));
        let total = if incident.firing.total() > 0 { incident.firing.total() } else { incident.alert_count };
        Self {
            title: texts.title(&variables),
            what: what(kind),
            news: texts.news(&variables),
            notes: notes(story),
            summary: texts.summary(&variables),
            facts: facts(story),
            labels: incident.labels.clone(),
            heading: if incident.firing.total() > 0 { "Firing alerts" } else { "Alerts that fired" },
            alerts: alerts
                .iter()
                .map(|alert| Line {
                    text: texts.alert(&Variables::of(&variables::of_alert(alert, &incident.labels))),
                    url: alert.newest.source_url.as_deref().and_then(safe_link),
                })
                .collect(),
            more: usize::try_from(total).unwrap_or_default().saturating_sub(alerts.len()),
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

/// The kind that tells of nothing but how an incident stands.
pub(crate) const fn state_kind(status: IncidentStatus) -> NoticeKind {
    match status {
        IncidentStatus::Triggered => NoticeKind::Triggered,
        IncidentStatus::Acknowledged => NoticeKind::Acknowledged,
        IncidentStatus::Resolved => NoticeKind::Resolved,
        IncidentStatus::Canceled => NoticeKind::Canceled,
    }
}

/// Why somebody is told. Who is told in another's place is told how the incident stands, with a note on top.
fn told_kind(story: &Story) -> NoticeKind {
    match story.kind {
        NoticeKind::Undelivered => state_kind(story.record.incident.status),
        kind => kind,
    }
}

/// The alerts that a message lists: those that fire, the worst and oldest first; once none does, all that did.
fn listed(story: &Story) -> Vec<&Alert> {
    let fires = |alert: &&Alert| alert.status == AlertStatus::Firing;
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
    if let Some(silenced) = silenced(story) {
        facts.push(("Silenced", Fact::Text(silenced)));
    }
    facts.push(("Since", Fact::Time(incident.triggered_at)));
    let by = |name: &'static str, by: &Option<String>| by.clone().map(|by| (name, Fact::Name(by)));
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

/// How many of the alerts that fire are silenced, as far as they are loaded; nothing if none is.
fn silenced(story: &Story) -> Option<String> {
    let is_silenced = |alert: &&Alert| alert.status == AlertStatus::Firing && alert.silenced_by.is_some();
    let count = story.alerts.iter().filter(is_silenced).count();
    let are_all = usize::try_from(story.record.incident.alert_count).is_ok_and(|all| all <= story.alerts.len());
    (count > 0).then(|| {
        format!("{}{count} {}", if are_all { "" } else { "at least " }, if count == 1 { "alert" } else { "alerts" })
    })
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
    let mut variables = variables::of_incident(story, told_kind(story), &listed, &links);
    variables.sign = "";
    texts.title(&Variables::of(&variables))
}

/// The word for why somebody is told.
pub(crate) fn reason(story: &Story) -> &'static str {
    what(told_kind(story))
}

const fn what(kind: NoticeKind) -> &'static str {
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
        NoticeKind::Undelivered => "Undelivered",
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
