//! A change of an alarm's state, in the two forms in which AWS tells of it.
//!
//! - `ALARM` fires and `OK` resolves. `INSUFFICIENT_DATA` fires: whether the condition holds is unknown, and AWS tells
//!   of this state only where somebody has asked for it.
//! - Severity is `critical` where the alarm is or was in `ALARM`, and `warning` for missing data alone. AWS knows no
//!   severities, and names are not searched for words.
//! - An event is as old as the change. A change between `ALARM` and `INSUFFICIENT_DATA` begins nothing new.

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};

use super::labels_of_arn;
use crate::sources::{Times, non_empty};

/// What `EventBridge` calls a change.
const EVENT_TYPE: &str = "CloudWatch Alarm State Change";
/// What is escaped in a link's alarm name (all but the unreserved characters of RFC 3986).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum State {
    Ok,
    Alarm,
    InsufficientData,
}

/// A change, in either form.
#[derive(Debug)]
pub(super) struct Change {
    name: String,
    arn: Option<String>,
    state: State,
    before: Option<State>,
    description: Option<String>,
    reason: Option<String>,
    rule: Option<String>,
    at: Option<String>,
    region: Option<String>,
    account: Option<String>,
    metric: Option<Metric>,
}

/// The metric that an alarm watches.
#[derive(Debug)]
struct Metric {
    namespace: String,
    name: String,
    dimensions: Labels,
}

/// What an alarm publishes as its action.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    alarm_name: String,
    alarm_arn: Option<String>,
    new_state_value: State,
    #[serde(default, deserialize_with = "if_understood")]
    old_state_value: Option<State>,
    alarm_description: Option<String>,
    new_state_reason: Option<String>,
    alarm_rule: Option<String>,
    state_change_time: Option<String>,
    region: Option<String>,
    #[serde(rename = "AWSAccountId")]
    account: Option<String>,
    #[serde(default, deserialize_with = "if_understood")]
    trigger: Trigger,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    #[serde(flatten)]
    metric: Option<ActionMetric>,
    #[serde(default)]
    metrics: Vec<TriggerPart>,
}

/// A part of an expression over metrics.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TriggerPart {
    metric_stat: Option<ActionStat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActionStat {
    metric: ActionMetric,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActionMetric {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
struct Dimension {
    name: String,
    value: String,
}

/// What `EventBridge` passes on.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    account: Option<String>,
    region: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    alarm_name: String,
    state: DetailState,
    #[serde(default, deserialize_with = "if_understood")]
    previous_state: Option<DetailState>,
    #[serde(default, deserialize_with = "if_understood")]
    configuration: Configuration,
}

#[derive(Deserialize)]
struct DetailState {
    value: State,
    reason: Option<String>,
    timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    description: Option<String>,
    alarm_rule: Option<String>,
    metrics: Vec<ConfigurationPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationPart {
    metric_stat: Option<EventStat>,
}

#[derive(Deserialize)]
struct EventStat {
    metric: EventMetric,
}

#[derive(Deserialize)]
struct EventMetric {
    namespace: String,
    name: String,
    #[serde(default)]
    dimensions: Labels,
}

/// Reads a part that an alert can do without.
fn if_understood<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

impl From<Action> for Change {
    fn from(action: Action) -> Self {
        let Trigger { metric, metrics } = action.trigger;
        let part = only(metrics.into_iter().filter_map(|part| Some(part.metric_stat?.metric)));
        Self {
            name: action.alarm_name,
            arn: action.alarm_arn,
            state: action.new_state_value,
            before: action.old_state_value,
            description: action.alarm_description,
            reason: action.new_state_reason,
            rule: action.alarm_rule,
            at: action.state_change_time,
            region: action.region,
            account: action.account,
            metric: metric.or(part).map(Metric::from),
        }
    }
}

impl From<Event> for Change {
    fn from(event: Event) -> Self {
        let Detail { alarm_name, state, previous_state, configuration } = event.detail;
        Self {
            name: alarm_name,
            arn: event.resources.into_iter().next(),
            state: state.value,
            before: previous_state.map(|state| state.value),
            description: configuration.description,
            reason: state.reason,
            rule: configuration.alarm_rule,
            at: state.timestamp,
            region: event.region,
            account: event.account,
            metric: only(configuration.metrics.into_iter().filter_map(|part| Some(part.metric_stat?.metric)))
                .map(|EventMetric { namespace, name, dimensions }| Metric { namespace, name, dimensions }),
        }
    }
}

impl From<ActionMetric> for Metric {
    fn from(metric: ActionMetric) -> Self {
        let ActionMetric { namespace, metric_name: name, dimensions } = metric;
        let dimensions = dimensions.into_iter().map(|Dimension { name, value }| (name, value)).collect();
        Self { namespace, name, dimensions }
    }
}

/// The item, if there is just one: of several metrics none is *the* metric of an alarm.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

impl Change {
    /// Reads a change, if the message is one.
    pub(super) fn read(message: &str) -> Option<Self> {
        let action = serde_json::from_str::<Action>(message).ok().map(Self::from);
        action.or_else(|| {
            let event: Event = serde_json::from_str(message).ok()?;
            (event.detail_type == EVENT_TYPE).then(|| event.into())
        })
    }

    pub(super) fn normalise(self, topic: &str, published_at: DateTime<Utc>, received_at: DateTime<Utc>) -> AlertEvent {
        let at = self.at.as_deref().and_then(time).unwrap_or(published_at);
        let status = if self.state == State::Ok { AlertStatus::Resolved } else { AlertStatus::Firing };
        let times = Times::new(status, Some(at), Some(at), received_at);
        let begins = status == AlertStatus::Firing && matches!(self.before, None | Some(State::Ok));
        let is_alarm = self.state == State::Alarm || self.before == Some(State::Alarm);
        let identity = self.arn.clone().unwrap_or_else(|| format!("{topic}\n{}", self.name));
        let told = [non_empty(self.description.clone()), non_empty(self.reason.clone())];
        AlertEvent {
            fingerprint: Fingerprint::of_external_id(&identity),
            external_id: self.arn.clone(),
            status,
            severity: if is_alarm { AlertSeverity::Critical } else { AlertSeverity::Warning },
            title: self.name.clone(),
            description: non_empty(Some(told.into_iter().flatten().collect::<Vec<_>>().join("\n\n"))),
            labels: self.labels(),
            source_url: self.link(),
            annotations: self.rule.map(|rule| ("alarm_rule".to_owned(), rule)).into_iter().collect(),
            started_at: times.start.filter(|_| begins),
            ended_at: times.end,
            event_at: times.event,
            expires_at: None,
            expires: false,
            is_bare: false,
        }
        .bounded()
    }

    /// Our own names come before those of dimensions.
    fn labels(&self) -> Labels {
        let mut labels = Labels::from([(ALERTNAME.to_owned(), self.name.clone())]);
        labels.extend(labels_of_arn(self.arn.as_deref().unwrap_or_default()));
        for (name, value) in [("region", &self.region), ("account", &self.account)] {
            if let Some(value) = value {
                labels.entry(name.to_owned()).or_insert_with(|| value.clone());
            }
        }
        if let Some(Metric { namespace, name, dimensions }) = &self.metric {
            labels.insert("namespace".to_owned(), namespace.clone());
            labels.insert("metric".to_owned(), name.clone());
            for (name, value) in dimensions {
                labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        labels
    }

    /// The alarm in the console of its partition, as in the mails that AWS sends.
    fn link(&self) -> Option<String> {
        let mut parts = self.arn.as_deref()?.split(':');
        let (partition, region) = (parts.nth(1)?, parts.nth(1)?);
        let console = match partition {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => return None,
        };
        let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = utf8_percent_encode(&self.name, ESCAPED);
        is_region
            .then(|| format!("https://{region}.{console}/cloudwatch/deeplink.js?region={region}#alarmsV2:alarm/{name}"))
    }
}

/// A time as AWS writes it, `2026-11-23T12:00:00.000+0000`, or as everybody else does.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").or_else(|_| DateTime::parse_from_rfc3339(text));
    time.ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(arn: &str, name: &str) -> Change {
        let message = serde_json::json!({"AlarmName": name, "AlarmArn": arn, "NewStateValue": "ALARM"});
        Change::read(&message.to_string()).unwrap()
    }

    #[test]
    fn a_time_is_read_in_either_form() {
        let expected = time("2026-11-23T12:00:00.500Z").unwrap();
        assert_eq!(time("2026-11-23T12:00:00.500+0000"), Some(expected));
        assert_eq!(time("2026-11-23T13:00:00.500+01:00"), Some(expected));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn what_an_alert_can_do_without_is_left_away_when_it_is_not_understood() {
        let message =
            r#"{"AlarmName":"a","NewStateValue":"OK","OldStateValue":"?","Trigger":[1],"StateChangeTime":"?"}"#;
        let published_at = "2026-11-23T11:00:00Z".parse().unwrap();
        let received_at = "2026-11-23T12:00:00Z".parse().unwrap();
        let alert = Change::read(message).unwrap().normalise("topic", published_at, received_at);
        assert_eq!((alert.status, alert.event_at), (AlertStatus::Resolved, published_at));
        assert_eq!(alert.fingerprint, Fingerprint::of_external_id("topic\na"));
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_change() {
        assert!(Change::read(r#"{"AlarmName":"a","NewStateValue":"MELTED"}"#).is_none());
        assert!(Change::read(r#"{"detail-type":"Other","detail":{"alarmName":"a","state":{"value":"OK"}}}"#).is_none());
    }

    #[test]
    fn a_link_leads_to_the_console_and_nowhere_else() {
        let link = |arn: &str| change(arn, "a b/ü#?").link().unwrap_or_default();
        assert_eq!(
            link("arn:aws-us-gov:cloudwatch:us-gov-west-1:1:alarm:a"),
            "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudwatch/deeplink.js?region=us-gov-west-1\
             #alarmsV2:alarm/a%20b%2F%C3%BC%23%3F"
        );
        for arn in
            ["arn:aws:cloudwatch:example.com/:1:alarm:a", "arn:aws:cloudwatch::1:alarm:a", "arn:other:c:r:1", "x"]
        {
            assert_eq!(link(arn), "", "{arn}");
        }
    }
}
