//! The envelope: what travels on the events stream.
//!
//! An entry is a flat list of fields: `v, id, received_at, source, integration, traceparent, body`. Readers ignore fields
//! they do not know, so a newer writer may add some; a `v` they do not know is an error that the reader turns into a
//! dead letter. Old and new versions run side by side during a rolling deploy.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::{AlertEvent, EventId, Fingerprint, TraceContext};

/// The version that this code writes, and the only one that it reads.
pub const VERSION: &str = "1";

/// The fields of an entry, in the order in which they are written.
pub const FIELDS: [&str; 7] = ["v", "id", "received_at", "source", "integration", "traceparent", "body"];

/// One accepted delivery of a sender, in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Names the delivery; what it causes is caused once.
    pub id: EventId,
    /// When ingest had read the whole request.
    pub received_at: DateTime<Utc>,
    /// The kind of sender, such as `prometheus`.
    pub source: String,
    /// Whose delivery it is: the integration's name.
    pub integration: String,
    /// The trace that began at the webhook.
    pub trace: TraceContext,
    /// What was delivered.
    pub alerts: Vec<AlertEvent>,
    /// Alerts that somebody has taken on, as their sender reports it.
    pub acknowledged: Vec<Fingerprint>,
}

/// Room for the fields before the body, and for each alert in it, in bytes: what most take, so that writing one does not
/// have to look for more.
const HEAD_BYTES: usize = 256;
const ALERT_BYTES: usize = 1_024;

/// An entry as it is written: the values of [`FIELDS`], one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    text: Vec<u8>,
    ends: [usize; FIELDS.len()],
}

impl Written {
    /// Its length, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// The values, in UTF-8.
    #[must_use]
    pub fn values(&self) -> [&[u8]; FIELDS.len()] {
        let mut start = 0;
        self.ends.map(|end| &self.text[std::mem::replace(&mut start, end)..end])
    }

    /// The text, and where in it each value ends.
    #[must_use]
    pub fn into_text(self) -> (Vec<u8>, [usize; FIELDS.len()]) {
        (self.text, self.ends)
    }
}

/// The body of version 1, as it is written.
#[derive(Serialize)]
struct WrittenBody<'a> {
    alerts: &'a [AlertEvent],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    acknowledged: &'a [Fingerprint],
}

/// The same, as it is read.
#[derive(Deserialize)]
struct ReadBody {
    alerts: Vec<AlertEvent>,
    #[serde(default)]
    acknowledged: Vec<Fingerprint>,
}

/// An entry that is not an envelope of this version.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The entry was written by a version that this code does not read.
    #[error("envelope version {found:?} is not supported (this program reads {VERSION})")]
    UnsupportedVersion {
        /// The version as written.
        found: String,
    },
    /// A field is absent.
    #[error("envelope field `{field}` is missing")]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A field cannot be read.
    #[error("envelope field `{field}` is malformed")]
    InvalidField {
        /// Its name.
        field: &'static str,
        /// What the parser said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Envelope {
    /// The entry.
    ///
    /// # Errors
    /// When the body cannot be written as JSON, which no value of this type causes.
    pub fn write(&self) -> Result<Written, serde_json::Error> {
        let mut text = Vec::with_capacity(HEAD_BYTES + ALERT_BYTES * self.alerts.len());
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let head = [
            VERSION,
            self.id.as_uuid().hyphenated().encode_lower(&mut id),
            &self.received_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            &self.source,
            &self.integration,
            &self.trace.to_string(),
        ];
        let mut ends = [0; FIELDS.len()];
        for (value, end) in head.into_iter().zip(&mut ends) {
            text.extend_from_slice(value.as_bytes());
            *end = text.len();
        }
        serde_json::to_writer(&mut text, &WrittenBody { alerts: &self.alerts, acknowledged: &self.acknowledged })?;
        ends[FIELDS.len() - 1] = text.len();
        Ok(Written { text, ends })
    }

    /// The values of [`FIELDS`], each by itself.
    ///
    /// # Errors
    /// As [`Envelope::write`].
    pub fn to_values(&self) -> Result<[String; FIELDS.len()], serde_json::Error> {
        Ok(self.write()?.values().map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`EnvelopeError`], which names the field. A missing or malformed `traceparent` is not an error: a trace is
    /// never worth an alert.
    pub fn from_fields(fields: &HashMap<String, String>) -> Result<Self, EnvelopeError> {
        let field = |name: &'static str| fields.get(name).ok_or(EnvelopeError::MissingField { field: name });
        let version = field("v")?;
        if version != VERSION {
            return Err(EnvelopeError::UnsupportedVersion { found: version.clone() });
        }
        let body: ReadBody = serde_json::from_str(field("body")?).map_err(invalid("body"))?;
        Ok(Self {
            id: field("id")?.parse().map_err(invalid("id"))?,
            received_at: DateTime::parse_from_rfc3339(field("received_at")?).map_err(invalid("received_at"))?.to_utc(),
            source: field("source")?.clone(),
            integration: field("integration")?.clone(),
            trace: fields.get("traceparent").and_then(|text| text.parse().ok()).unwrap_or_else(TraceContext::random),
            alerts: body.alerts,
            acknowledged: body.acknowledged,
        })
    }
}

pub(crate) fn invalid<E>(field: &'static str) -> impl FnOnce(E) -> EnvelopeError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| EnvelopeError::InvalidField { field, source: source.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{AlertSeverity, AlertStatus, Labels};

    fn envelope(title: &str) -> Envelope {
        let at = DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap();
        let labels = Labels::from([("alertname".to_owned(), title.to_owned())]);
        Envelope {
            id: EventId::of_delivery("default", "one"),
            received_at: at,
            source: "prometheus".to_owned(),
            integration: "default".to_owned(),
            trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap(),
            alerts: vec![AlertEvent {
                fingerprint: Fingerprint::of_labels(&labels),
                external_id: None,
                status: AlertStatus::Firing,
                severity: AlertSeverity::Critical,
                title: title.to_owned(),
                description: None,
                labels,
                annotations: Labels::new(),
                source_url: None,
                started_at: Some(at),
                ended_at: None,
                event_at: at,
                expires_at: None,
                expires: false,
                is_bare: false,
            }],
            acknowledged: Vec::new(),
        }
    }

    fn written(envelope: &Envelope) -> HashMap<String, String> {
        FIELDS.map(str::to_owned).into_iter().zip(envelope.to_values().unwrap()).collect()
    }

    #[test]
    fn the_fields_are_as_documented() {
        let values = envelope("DiskFull").to_values().unwrap();
        insta::assert_debug_snapshot!(FIELDS.into_iter().zip(values).collect::<Vec<_>>());
    }

    /// What each released version wrote, with every field that it knew. Never changed: a later release adds one.
    const RELEASED: [&str; 1] = [include_str!("../fixtures/released/envelope-0.1.0.json")];

    /// While a deploy rolls, old programs write for new ones and the other way round. So today's reader understands what was
    /// written then; and of what it has understood, today's writer writes all that was there, in the same form, whatever it
    /// adds. (Of the old reader it is known that it ignores what is added: that is the test below, and it was there then.)
    #[test]
    fn old_programs_and_new_ones_understand_each_other() {
        for released in RELEASED {
            let released: HashMap<String, String> = serde_json::from_str(released).unwrap();
            let today = written(&Envelope::from_fields(&released).unwrap());
            let (old, new): (Value, Value) = (body(&released), body(&today));
            assert_has_all(&new, &old, "body");
            for (name, value) in released.iter().filter(|(name, _)| *name != "body") {
                assert_eq!(today.get(name), Some(value), "{name}");
            }
        }
    }

    fn body(fields: &HashMap<String, String>) -> Value {
        serde_json::from_str(&fields["body"]).unwrap()
    }

    fn assert_has_all(new: &Value, old: &Value, at: &str) {
        match (new, old) {
            (Value::Object(new), Value::Object(old)) => {
                for (name, value) in old {
                    let found = new.get(name).unwrap_or_else(|| panic!("{at}.{name} is not written any more"));
                    assert_has_all(found, value, &format!("{at}.{name}"));
                }
            }
            (Value::Array(new), Value::Array(old)) => {
                assert_eq!(new.len(), old.len(), "{at}");
                new.iter().zip(old).for_each(|(new, old)| assert_has_all(new, old, at));
            }
            _ => assert_eq!(new, old, "{at} is written in another form"),
        }
    }

    #[test]
    fn fields_of_a_newer_writer_are_ignored() {
        let mut fields = written(&envelope("DiskFull"));
        fields.insert("shard_hint".to_owned(), "7".to_owned());
        let body = fields["body"].replacen('{', r#"{"new_field":[1],"#, 1);
        fields.insert("body".to_owned(), body);
        assert_eq!(Envelope::from_fields(&fields).unwrap(), envelope("DiskFull"));
    }

    #[test]
    fn an_unknown_version_is_named() {
        let mut fields = written(&envelope("DiskFull"));
        fields.insert("v".to_owned(), "9".to_owned());
        let error = Envelope::from_fields(&fields).unwrap_err();
        assert!(matches!(&error, EnvelopeError::UnsupportedVersion { found } if found == "9"), "{error:?}");
    }

    #[test]
    fn a_missing_or_malformed_field_is_named() {
        for name in ["v", "id", "received_at", "source", "integration", "body"] {
            let mut fields = written(&envelope("DiskFull"));
            fields.remove(name);
            let error = Envelope::from_fields(&fields).unwrap_err();
            assert!(matches!(error, EnvelopeError::MissingField { field } if field == name), "{error:?}");
        }
        for name in ["id", "received_at", "body"] {
            let mut fields = written(&envelope("DiskFull"));
            fields.insert(name.to_owned(), "?".to_owned());
            let error = Envelope::from_fields(&fields).unwrap_err();
            assert!(matches!(error, EnvelopeError::InvalidField { field, .. } if field == name), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_what_is_read(title in any::<String>()) {
            let original = envelope(&title);
            prop_assert_eq!(Envelope::from_fields(&written(&original)).unwrap(), original);
        }

        #[test]
        fn no_field_value_makes_the_reader_panic(values in proptest::collection::vec(any::<String>(), 6)) {
            let names = ["id", "received_at", "source", "integration", "traceparent", "body"];
            let mut fields: HashMap<_, _> = names.iter().map(|&name| name.to_owned()).zip(values).collect();
            fields.insert("v".to_owned(), VERSION.to_owned());
            prop_assert!(Envelope::from_fields(&fields).is_err());
        }
    }
}
