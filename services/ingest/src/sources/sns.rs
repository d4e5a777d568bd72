//! What Amazon SNS posts to its subscribers
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>). Who made a message is verified by
//! [`crate::trust`].
//!
//! Raw message delivery must be off: it leaves everything but the message away, the signature included.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::{SourceError, read};

/// Longest `MessageId`, in bytes. SNS makes UUIDs.
const MAX_MESSAGE_ID_BYTES: usize = 256;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Kind {
    /// Something was published.
    Notification,
    /// Somebody wants us to subscribe to a topic.
    SubscriptionConfirmation,
    /// Somebody has ended our subscription; the message can undo it.
    UnsubscribeConfirmation,
}

/// A message. Texts are as they were signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of SNS")]
pub(crate) struct Message {
    /// What it is for.
    #[serde(rename = "Type")]
    pub(crate) kind: Kind,
    /// Its name, the same however often it is sent.
    pub(crate) message_id: String,
    /// The topic's whole name.
    pub(crate) topic_arn: String,
    /// One line about it.
    pub(crate) subject: Option<String>,
    /// What was published.
    pub(crate) message: String,
    timestamp: String,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    /// How it is signed.
    pub(crate) signature_version: String,
    /// The signature, in base64.
    pub(crate) signature: String,
    /// The certificate whose key has signed it.
    #[serde(rename = "SigningCertURL")]
    pub(crate) signing_cert_url: String,
}

impl Message {
    /// Reads a message.
    pub(crate) fn read(body: &[u8]) -> Result<Self, SourceError> {
        let message: Self = read(body)?;
        if !(1..=MAX_MESSAGE_ID_BYTES).contains(&message.message_id.len()) {
            return Err(SourceError::payload("MessageId", format!("must have 1 to {MAX_MESSAGE_ID_BYTES} bytes")));
        }
        if message.kind != Kind::Notification {
            let fields = [("Token", &message.token), ("SubscribeURL", &message.subscribe_url)];
            if let Some((field, _)) = fields.iter().find(|(_, value)| value.is_none()) {
                return Err(SourceError::payload(*field, "is missing"));
            }
        }
        Ok(message)
    }

    /// The text that the signature is made of: each field's name and value, on a line each.
    pub(crate) fn string_to_sign(&self) -> String {
        let kind = match self.kind {
            Kind::Notification => "Notification",
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let is_confirmation = self.kind != Kind::Notification;
        let fields = [
            ("Message", Some(&*self.message)),
            ("MessageId", Some(&*self.message_id)),
            ("Subject", self.subject.as_deref().filter(|_| !is_confirmation)),
            ("SubscribeURL", self.subscribe_url.as_deref().filter(|_| is_confirmation)),
            ("Timestamp", Some(&*self.timestamp)),
            ("Token", self.token.as_deref().filter(|_| is_confirmation)),
            ("TopicArn", Some(&*self.topic_arn)),
            ("Type", Some(kind)),
        ];
        let mut text = String::new();
        for (name, value) in fields {
            if let Some(value) = value {
                // Writing to a String does not fail.
                let _ = writeln!(text, "{name}\n{value}");
            }
        }
        text
    }

    /// When it was published.
    pub(crate) fn published_at(&self) -> Option<DateTime<Utc>> {
        self.timestamp.parse().ok()
    }

    /// The address that confirms the subscription that the message offers, if it offers one.
    pub(crate) fn confirm(&self) -> Result<Option<Url>, SourceError> {
        match &self.subscribe_url {
            Some(url) if self.kind == Kind::SubscriptionConfirmation => {
                url.parse().map(Some).map_err(|_| SourceError::payload("SubscribeURL", "is not a URL"))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTIFICATION: &str = r#"{"Type":"Notification","MessageId":"i","TopicArn":"a","Subject":"s","Message":"m\né",
        "Timestamp":"t","SignatureVersion":"1","Signature":"x","SigningCertURL":"u","MessageAttributes":{}}"#;

    #[test]
    fn a_notification_is_signed_over_these_fields_in_this_order() {
        let message = Message::read(NOTIFICATION.as_bytes()).unwrap();
        let signed = "Message\nm\né\nMessageId\ni\nSubject\ns\nTimestamp\nt\nTopicArn\na\nType\nNotification\n";
        assert_eq!(message.string_to_sign(), signed);
        for without in [NOTIFICATION.replace(r#""s""#, "null"), NOTIFICATION.replace("Subject", "Sub")] {
            let message = Message::read(without.as_bytes()).unwrap();
            assert_eq!(message.string_to_sign(), signed.replace("Subject\ns\n", ""));
        }
    }

    #[test]
    fn a_confirmation_is_signed_with_its_token_and_without_its_subject() {
        let confirmation = NOTIFICATION.replace("Notification", "SubscriptionConfirmation");
        let field = |body: &str| Message::read(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(field(&confirmation), "Token: is missing");
        let confirmation = confirmation.replace(r#""x""#, r#""x","Token":"k""#);
        assert_eq!(field(&confirmation), "SubscribeURL: is missing");
        let confirmation = confirmation.replace(r#""x""#, r#""x","SubscribeURL":"https://sns/""#);
        let message = Message::read(confirmation.as_bytes()).unwrap();
        let signed = "Message\nm\né\nMessageId\ni\nSubscribeURL\nhttps://sns/\nTimestamp\nt\nToken\nk\nTopicArn\na\nType\n\
            SubscriptionConfirmation\n";
        assert_eq!(message.string_to_sign(), signed);
    }

    #[test]
    fn a_field_that_is_given_twice_is_refused() {
        // Whoever reads the first and whoever reads the last would otherwise not speak of the same message.
        let twice = NOTIFICATION.replace(r#""Subject":"s""#, r#""Message":"other","Subject":"s""#);
        assert!(Message::read(twice.as_bytes()).is_err());
    }

    #[test]
    fn a_message_has_an_id_that_fits() {
        for id in [String::new(), "i".repeat(257)] {
            let body = NOTIFICATION.replace(r#""i""#, &format!("{id:?}"));
            assert!(Message::read(body.as_bytes()).unwrap_err().to_string().starts_with("MessageId: "));
        }
    }
}
