//! Amazon `CloudWatch` alarms, by way of an SNS topic, either from the alarm's actions or from an `EventBridge` rule
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>).
//!
//! An alarm is known by its ARN. Anything else that is published on the topic becomes a firing alert of severity
//! `warning`, known by the topic and its subject: somebody should read it, and nothing will ever say that it is over.

mod alarm;

use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Fingerprint, Labels};

use super::sns::{Kind, Message};
use super::{Parsed, Request, Signed, Source, SourceError, Times, non_empty};

pub(super) const SOURCE: Source = Source {
    takes_text: true,
    signed: Signed::BySns,
    ..Source::webhook("cloudwatch", "/api/v1/webhooks/cloudwatch", parse)
};

/// A confirmation holds no alert. The end of a subscription is taken note of and nothing else.
fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let message = Message::read(request.body)?;
    let confirm = message.confirm()?;
    let mut alerts = Vec::new();
    if message.kind == Kind::Notification {
        let published_at = message.published_at().unwrap_or(request.received_at);
        alerts.push(match alarm::Change::read(&message.message) {
            Some(change) => change.normalise(&message.topic_arn, published_at, request.received_at),
            None => normalise(&message, request),
        });
    }
    Ok(Parsed { alerts, delivery_id: Some(message.message_id), confirm, ..Parsed::default() })
}

/// What is no alarm.
fn normalise(message: &Message, request: &Request<'_>) -> AlertEvent {
    let topic = message.topic_arn.as_str();
    let title = non_empty(message.subject.clone()).unwrap_or_else(|| headline(topic, &message.message));
    let labels = labels_of_arn(topic).chain([("topic".to_owned(), last_part(topic).to_owned())]).collect();
    let times = Times::new(AlertStatus::Firing, message.published_at(), None, request.received_at);
    AlertEvent {
        fingerprint: Fingerprint::of_external_id(&format!("{topic}\n{title}")),
        external_id: None,
        status: AlertStatus::Firing,
        severity: AlertSeverity::Warning,
        title,
        description: non_empty(Some(message.message.clone())),
        labels,
        annotations: Labels::new(),
        source_url: None,
        started_at: times.start,
        ended_at: times.end,
        event_at: times.event,
        expires_at: None,
        expires: false,
        is_bare: false,
    }
    .bounded()
}

/// A title for a message without a subject: its first line, unless that is for machines.
fn headline(topic: &str, message: &str) -> String {
    let first = message.lines().map(str::trim).find(|line| !line.is_empty());
    match first.filter(|line| !line.starts_with(['{', '['])) {
        Some(line) => line.to_owned(),
        None => format!("Message on {}", last_part(topic)),
    }
}

/// The last part of an ARN, which is the name of a topic.
fn last_part(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The region and the account in an ARN (`arn:partition:service:region:account:…`), as labels.
fn labels_of_arn(arn: &str) -> impl Iterator<Item = (String, String)> {
    let mut parts = arn.split(':').skip(3);
    ["region", "account"]
        .into_iter()
        .filter_map(move |name| Some((name.to_owned(), parts.next()?.to_owned())))
        .filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::received_at;

    fn read(body: &[u8]) -> Result<Parsed, SourceError> {
        let headers = actix_web::http::header::HeaderMap::new();
        parse(&Request { headers: &headers, body, received_at: received_at() })
    }

    fn alert(body: &[u8]) -> AlertEvent {
        read(body).unwrap().alerts.remove(0)
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../fixtures/cloudwatch/", $name, ".json"))
        };
    }

    #[test]
    fn an_alarm_fires_and_is_resolved() {
        let (firing, resolved) = (alert(fixture!("alarm")), alert(fixture!("ok")));
        assert_eq!(firing.fingerprint, resolved.fingerprint);
        insta::assert_json_snapshot!([firing, resolved]);
    }

    #[test]
    fn an_alarm_without_data_fires_until_it_is_ok() {
        let (unknown, lost) = (alert(fixture!("insufficient_data")), alert(fixture!("insufficient_data_after_alarm")));
        assert_eq!((unknown.status, unknown.severity), (AlertStatus::Firing, AlertSeverity::Warning));
        assert!(unknown.started_at.is_some(), "it was OK before");
        assert_eq!((lost.status, lost.severity), (AlertStatus::Firing, AlertSeverity::Critical));
        assert_eq!(lost.started_at, None, "it goes back to when the alarm began");
        assert_eq!(lost.event_at, unknown.event_at);
        insta::assert_json_snapshot!(unknown);
    }

    #[test]
    fn an_alarm_on_an_expression_is_labelled_with_the_one_metric_in_it() {
        insta::assert_json_snapshot!(alert(fixture!("metric_math")));
    }

    #[test]
    fn a_composite_alarm_is_an_alarm_with_a_rule() {
        insta::assert_json_snapshot!(alert(fixture!("composite")));
    }

    #[test]
    fn an_alarm_is_the_same_by_way_of_eventbridge() {
        let event = alert(fixture!("eventbridge"));
        assert_eq!(event.fingerprint, alert(fixture!("alarm")).fingerprint);
        insta::assert_json_snapshot!(event);
    }

    #[test]
    fn anything_else_is_somebody_to_read() {
        let (text, json) = (alert(fixture!("plain_text")), alert(fixture!("foreign_json")));
        let without_subject = alert(fixture!("plain_text_without_subject"));
        assert_ne!(text.fingerprint, without_subject.fingerprint);
        insta::assert_json_snapshot!([text, without_subject, json]);
    }

    #[test]
    fn json_without_a_subject_is_titled_by_its_topic() {
        let topic = "arn:aws:sns:eu-central-1:123456789012:alarms";
        assert_eq!(headline(topic, "\n {\"a\": 1}"), "Message on alarms");
        assert_eq!(headline(topic, " \n"), "Message on alarms");
        assert_eq!(headline(topic, "\n one \n two"), "one");
    }

    #[test]
    fn a_repeat_is_known_by_its_message_id() {
        let parsed = read(fixture!("alarm")).unwrap();
        assert_eq!(parsed.delivery_id.as_deref(), Some("22b80b92-fdea-4c2c-8f9d-000000000001"));
    }

    #[test]
    fn a_subscription_is_offered_and_its_end_is_only_noted() {
        let offered = read(fixture!("subscription_confirmation")).unwrap();
        assert!(offered.alerts.is_empty());
        assert_eq!(offered.confirm.unwrap().host_str(), Some("sns.eu-central-1.amazonaws.com"));
        let ended = read(fixture!("unsubscribe_confirmation")).unwrap();
        assert!(ended.alerts.is_empty() && ended.confirm.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = String::from_utf8_lossy(fixture!("subscription_confirmation"));
        let field = |from: &str, to: &str| match read(text.replace(from, to).as_bytes()) {
            Err(SourceError::InvalidPayload { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field("https://sns.eu-central-1.amazonaws.com/?", "?"), "SubscribeURL");
        assert_eq!(field("\"SubscriptionConfirmation\"", "\"Other\""), "Type");
        assert_eq!(field("\"MessageId\"", "\"Id\""), "body");
    }
}
