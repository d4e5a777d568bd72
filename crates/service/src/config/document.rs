//! `tocsin.yaml`: what people decide. Addresses and tuning come from the environment instead.

mod api;
mod faults;
mod inhibition;
mod oidc;
mod receivers;
mod retention;
mod routes;
mod slack;
mod webhooks;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tocsin_shared::Policy;

use super::{ConfigError, Problem, SecretSource};
pub use api::{ApiLimitSection, ApiSection, Scope, TokenSection};
use faults::Faults;
pub use inhibition::InhibitionSection;
pub use oidc::{OidcRule, OidcSection};
pub use receivers::{
    EmailSection, ReceiverKind, ReceiverSection, SlackAccess, SlackSection, SmtpSection, SmtpTls, TeamsSection,
    TemplatesSection, WebhookSection, alert_sample, incident_sample,
};
pub use retention::{Retention, RetentionSection};
pub use routes::{EscalationSection, FlappingSection, RouteSection, TimingBounds};
pub use slack::SlackAppSection;
pub use webhooks::{
    GrafanaSection, IntegrationSection, KEYLESS, Limit, OverLimit, SignatureSecret, SignatureSection, SnsSection,
    WebhooksSection, duplicate_key,
};

/// How long an alert may at least and at most go without news before it counts as resolved.
const RESOLVE_TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);

/// The whole file. Unknown keys are faults: a misspelt one would otherwise be silently without effect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Webhooks without a key.
    pub webhooks: WebhooksSection,
    /// Who may send with a key.
    pub integrations: Vec<IntegrationSection>,
    /// Which receivers are told, and what is grouped: the root of the tree.
    pub route: RouteSection,
    /// What keeps what quiet.
    pub inhibit_rules: Vec<InhibitionSection>,
    /// Who can be told.
    pub receivers: Vec<ReceiverSection>,
    /// The Slack app whose buttons stand under incidents.
    pub slack: Option<SlackAppSection>,
    /// The read API.
    pub api: ApiSection,
    /// How long what is over is kept.
    pub retention: RetentionSection,
    #[serde(skip)]
    rules: Rules,
}

/// What the file's sections come to, once they are checked.
#[derive(Debug, Clone, Default)]
struct Rules {
    policy: Policy,
    retention: Retention,
}

impl Document {
    /// Reads and checks the file, or gives the default when there is none.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            one(
                path.display().to_string(),
                format!("cannot be read: {error}"),
                "set TOCSIN_CONFIG to the path of tocsin.yaml",
            )
        })?;
        Self::parse(&text)
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // By way of a JSON value, so that a fault is told with its path and never with the lines around it, which may
        // hold a secret.
        let value: Option<serde_json::Value> = serde_saphyr::from_str(text).map_err(|error| {
            one(
                "tocsin.yaml".to_owned(),
                format!("is not YAML: {}", error.without_snippet()),
                "correct the syntax there",
            )
        })?;
        let value = value.unwrap_or_else(|| serde_json::json!({}));
        let mut document: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let key = if path == "." { "tocsin.yaml".to_owned() } else { path };
            one(key, without_values(&error.into_inner().to_string()), "see the comments in the example tocsin.yaml")
        })?;
        document.rules = document.check()?;
        Ok(document)
    }

    /// The rules about alerts that the file describes.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.rules.policy.clone()
    }

    /// How long what is over is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.rules.retention
    }

    /// What the sections come to, or every fault of theirs.
    fn check(&self) -> Result<Rules, ConfigError> {
        let mut faults = Faults::default();
        faults.extend(webhooks::problems(&self.integrations));
        receivers::check(&self.receivers, &mut faults);
        let policy = Policy {
            routing: routes::build(&self.route, &self.receivers, &mut faults),
            inhibition: inhibition::build(&self.inhibit_rules, &mut faults),
            resolve_timeouts: self.resolve_timeouts(&mut faults),
        };
        if let Some(section) = &self.slack {
            slack::check(section, &mut faults);
        }
        api::check(&self.api, &mut faults);
        let retention = self.retention.build(&mut faults);
        faults.finish().map(|()| Rules { policy, retention })
    }

    fn resolve_timeouts(&self, faults: &mut Faults) -> BTreeMap<String, Duration> {
        let integrations = self.integrations.iter().enumerate().map(|(index, section)| {
            (section.name.as_str(), format!("integrations[{index}].resolve_timeout"), &section.resolve_timeout)
        });
        let keyless = (KEYLESS, "webhooks.resolve_timeout".to_owned(), &self.webhooks.resolve_timeout);
        let sections = integrations.chain([keyless]);
        sections
            .filter_map(|(name, key, text)| {
                Some((name.to_owned(), faults.duration(&key, text.as_ref(), &RESOLVE_TIMEOUT)?))
            })
            .collect()
    }
}

fn one(key: String, fault: String, remedy: &str) -> ConfigError {
    ConfigError { problems: vec![Problem { key, fault, remedy: remedy.to_owned() }] }
}

/// serde quotes the offending value (`invalid type: integer `1`, expected a string`); it may be a secret in the wrong
/// place. The name of an unknown field stays: without it nobody would find the fault.
fn without_values(message: &str) -> String {
    if message.starts_with("unknown field") {
        return message.to_owned();
    }
    match (message.find(['"', '`']), message.rfind(", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}{}", message[..start].trim_end(), &message[end..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
