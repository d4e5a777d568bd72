//! Issues: alerts about an issue's event, and the life of an issue itself.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};
use url::Url;

use crate::sources::{Request, SourceError, Times, named, non_empty, read, scalar};

/// Tags that name a person, or an address that a person has visited: they do not belong on an alert.
const PERSONAL_TAGS: [&str; 2] = ["user", "url"];

#[derive(Deserialize)]
struct EventAlert {
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    event: Event,
    #[serde(default, deserialize_with = "scalar::text")]
    triggered_rule: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, deserialize_with = "scalar::text")]
    issue_id: Option<String>,
    title: Option<String>,
    message: Option<String>,
    culprit: Option<String>,
    level: Option<String>,
    environment: Option<String>,
    platform: Option<String>,
    #[serde(default, deserialize_with = "scalar::text")]
    release: Option<String>,
    /// The API's address of the event, which names organization and project.
    url: Option<String>,
    web_url: Option<String>,
    /// Pairs of name and value.
    #[serde(default)]
    tags: Value,
}

#[derive(Deserialize)]
struct IssueChange {
    action: String,
    data: IssueData,
}

#[derive(Deserialize)]
struct IssueData {
    issue: Issue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    #[serde(default, deserialize_with = "scalar::text")]
    id: Option<String>,
    short_id: Option<String>,
    title: Option<String>,
    culprit: Option<String>,
    level: Option<String>,
    platform: Option<String>,
    project: Option<Project>,
    first_seen: Option<DateTime<Utc>>,
    permalink: Option<String>,
    #[serde(rename = "web_url")]
    web_url: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    slug: Option<String>,
}

/// What is told of an issue, by whichever resource.
struct Report {
    issue_id: String,
    status: AlertStatus,
    level: Option<String>,
    title: Option<String>,
    description: Option<String>,
    labels: Labels,
    annotations: Labels,
    source_url: Option<String>,
    first_seen: Option<DateTime<Utc>>,
}

/// The alert of an issue's event. It fires; that it is over is told by the issue.
pub(super) fn of_event_alert(request: &Request<'_>) -> Result<AlertEvent, SourceError> {
    let EventData { event, triggered_rule } = read::<EventAlert>(request.body)?.data;
    let Some(issue_id) = event.issue_id else {
        return Err(SourceError::payload("data.event.issue_id", "is missing"));
    };
    let (organization, project) = event.url.as_deref().map(owner).unwrap_or_default();
    let mut labels = named([
        ("organization", organization),
        ("project", project),
        ("level", event.level.clone()),
        ("environment", event.environment),
        ("platform", event.platform),
        ("rule", triggered_rule),
    ]);
    for (name, value) in tags(&event.tags) {
        labels.entry(name).or_insert(value);
    }
    let report = Report {
        issue_id,
        status: AlertStatus::Firing,
        level: event.level,
        title: event.title,
        description: event.message,
        labels,
        annotations: named([("culprit", event.culprit), ("release", event.release)]),
        source_url: event.web_url,
        first_seen: None,
    };
    Ok(report.normalise(request.received_at))
}

/// The alert of an issue that came to be, was resolved, or put away; nothing for what does not concern an alert, such as
/// somebody being assigned.
pub(super) fn of_issue(request: &Request<'_>) -> Result<Option<AlertEvent>, SourceError> {
    let IssueChange { action, data: IssueData { issue } } = read(request.body)?;
    let status = match action.as_str() {
        "created" | "unresolved" => AlertStatus::Firing,
        "resolved" | "archived" | "ignored" => AlertStatus::Resolved,
        _ => return Ok(None),
    };
    let Some(issue_id) = issue.id else {
        return Err(SourceError::payload("data.issue.id", "is missing"));
    };
    let report = Report {
        issue_id,
        status,
        title: issue.title,
        description: None,
        labels: named([
            ("project", issue.project.and_then(|project| project.slug)),
            ("level", issue.level.clone()),
            ("platform", issue.platform),
        ]),
        level: issue.level,
        annotations: named([("culprit", issue.culprit), ("short_id", issue.short_id)]),
        source_url: non_empty(issue.web_url).or(issue.permalink),
        first_seen: issue.first_seen.filter(|_| action == "created"),
    };
    Ok(Some(report.normalise(request.received_at)))
}

impl Report {
    fn normalise(self, received_at: DateTime<Utc>) -> AlertEvent {
        let external_id = format!("sentry-issue-{}", self.issue_id);
        let times = Times::at(self.status, self.first_seen, None, received_at);
        AlertEvent {
            fingerprint: Fingerprint::of_external_id(&external_id),
            status: self.status,
            severity: AlertSeverity::from_word(self.level.as_deref()),
            title: non_empty(self.title).unwrap_or_else(|| format!("Issue {}", self.issue_id)),
            description: non_empty(self.description),
            labels: self.labels,
            annotations: self.annotations,
            source_url: non_empty(self.source_url),
            started_at: times.start,
            ended_at: times.end,
            event_at: times.event,
            expires_at: None,
            expires: false,
            is_bare: false,
            external_id: Some(external_id),
        }
        .bounded()
    }
}

/// The organization and project in an address like `https://sentry.io/api/0/projects/ORGANIZATION/PROJECT/events/…`.
fn owner(address: &str) -> (Option<String>, Option<String>) {
    let Ok(address) = Url::parse(address) else {
        return (None, None);
    };
    let mut segments =
        address.path_segments().into_iter().flatten().skip_while(|&segment| segment != "projects").skip(1);
    (segments.next().map(str::to_owned), segments.next().map(str::to_owned))
}

/// The tags that may become labels.
fn tags(pairs: &Value) -> impl Iterator<Item = (String, String)> {
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    let pairs = pairs.as_array().map(Vec::as_slice).unwrap_or_default();
    pairs
        .iter()
        .filter_map(pair)
        .filter(|(name, value)| !name.is_empty() && !value.is_empty() && !PERSONAL_TAGS.contains(&name.as_str()))
}
