//! `webhooks` and `integrations`: who may send, how a sender proves itself, and how much it may send.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;

use actix_web::http::header::HeaderName;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use tocsin_shared::source;

use super::super::{Environment, Problem, SecretSource};

/// The integration of webhooks that carry no key. No section of the file may have its name.
pub const KEYLESS: &str = "default";
/// The source whose messages SNS signs.
const SIGNED_BY_SNS: &str = "cloudwatch";
/// Most integrations. Every key is compared with each of theirs, so that time does not tell them apart.
const MAX_INTEGRATIONS: usize = 1_000;
/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 100;
/// Most keys of one integration: the old and the new one, while its senders change over.
const MAX_KEYS: usize = 2;
/// Most signatures of one integration.
const MAX_SIGNATURES: usize = 8;
/// Most SNS topics of one integration.
const MAX_TOPICS: usize = 1_000;

/// How much a sender may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests in a minute.
    pub per_minute: NonZeroU32,
    /// What becomes of those beyond it.
    pub over_limit: OverLimit,
}

impl Limit {
    /// Of webhooks without a key, per client address: 300 a minute.
    pub const KEYLESS: Self = Self::rejecting(300);
    /// Of an integration: 6,000 a minute.
    pub const INTEGRATION: Self = Self::rejecting(6_000);

    const fn rejecting(per_minute: u32) -> Self {
        let per_minute = match NonZeroU32::new(per_minute) {
            Some(per_minute) => per_minute,
            None => NonZeroU32::MIN,
        };
        Self { per_minute, over_limit: OverLimit::Reject }
    }
}

/// What a request beyond the limit is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// 429.
    Reject,
    /// 503, for senders that never repeat a 429: Alertmanager and Datadog.
    RetryLater,
}

/// `limit`, with what is not given taken from the default of its place.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitSection {
    per_minute: Option<NonZeroU32>,
    over_limit: Option<OverLimit>,
}

impl LimitSection {
    fn or(self, default: Limit) -> Limit {
        Limit {
            per_minute: self.per_minute.unwrap_or(default.per_minute),
            over_limit: self.over_limit.unwrap_or(default.over_limit),
        }
    }
}

/// `webhooks`: those that carry no key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksSection {
    /// Whether they are taken.
    pub keyless: bool,
    /// For how long an alert that came without a key may go without news before it counts as resolved.
    pub(super) resolve_timeout: Option<String>,
    limit: LimitSection,
}

impl Default for WebhooksSection {
    fn default() -> Self {
        Self { keyless: true, resolve_timeout: None, limit: LimitSection::default() }
    }
}

impl WebhooksSection {
    /// How many are taken, per client address.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.limit.or(Limit::KEYLESS)
    }
}

/// One of `integrations`: a sender, or several that share a key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationSection {
    /// Which of all senders it is; its alerts are its own.
    pub name: String,
    /// The only kind of sender that may use it, if there is just one.
    pub source: Option<String>,
    keys: Vec<KeySection>,
    /// Any of these makes a request authentic, beside the key. Without any, the key alone does.
    #[serde(default)]
    pub signatures: Vec<SignatureSection>,
    /// What is particular to Amazon SNS.
    #[serde(default)]
    pub sns: SnsSection,
    /// For how long one of its alerts may go without news before it counts as resolved.
    pub(super) resolve_timeout: Option<String>,
    #[serde(default)]
    limit: LimitSection,
}

/// One of `keys`, by its hash.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySection {
    sha256: Option<SecretString>,
    sha256_file: Option<PathBuf>,
    sha256_env: Option<String>,
}

/// One of `signatures`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureSection {
    /// Grafana's.
    Grafana(GrafanaSection),
    /// Sentry's.
    Sentry(SignatureSecret),
    /// `X-Webhook-Signature: sha256=<hex>`.
    HmacSha256(SignatureSecret),
    /// Standard Webhooks.
    StandardWebhooks(SignatureSecret),
}

/// `grafana`: the headers are whatever the contact point says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrafanaSection {
    secret: Option<SecretString>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    /// The header of the signature.
    #[serde(default = "grafana_header", deserialize_with = "header_name")]
    pub header: HeaderName,
    /// The header of the time, if that is signed, too.
    #[serde(default, deserialize_with = "some_header_name")]
    pub timestamp_header: Option<HeaderName>,
}

/// The secret of a signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureSecret {
    secret: Option<SecretString>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
}

/// `sns`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnsSection {
    /// The topics whose messages are taken; without any, those of every topic of every AWS account.
    pub topics: Vec<String>,
}

impl IntegrationSection {
    /// Where the hashes of the keys come from, for the integration at `index`.
    pub fn keys(&self, index: usize) -> impl Iterator<Item = SecretSource> {
        self.keys.iter().enumerate().map(move |(number, key)| SecretSource {
            key: format!("integrations[{index}].keys[{number}].sha256"),
            inline: key.sha256.clone(),
            file: key.sha256_file.clone(),
            env: key.sha256_env.clone(),
        })
    }

    /// How many requests are taken.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.limit.or(Limit::INTEGRATION)
    }

    fn problems(&self, index: usize) -> Vec<Problem> {
        let path = |field: &str| format!("integrations[{index}].{field}");
        let mut problems = Vec::new();
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || !self.name.bytes().all(in_name) {
            let remedy = "use 1 to 100 letters, digits, `_`, `.` and `-`";
            problems.push(Problem::new(path("name"), "cannot be a name", remedy));
        }
        if self.name == KEYLESS {
            let remedy = "choose another; `webhooks` describes the one without a key";
            problems.push(Problem::new(path("name"), format!("`{KEYLESS}` is reserved"), remedy));
        }
        if let Some(source) = self.source.as_deref()
            && !source::NAMES.contains(&source)
        {
            let remedy = format!("use one of {}, or leave it out", source::NAMES.join(", "));
            problems.push(Problem::new(path("source"), format!("no sender is called `{source}`"), remedy));
        }
        if !(1..=MAX_KEYS).contains(&self.keys.len()) {
            let remedy = "give one key, or the old and the new one while senders change over";
            problems.push(Problem::new(path("keys"), "must hold one or two", remedy));
        }
        problems.extend(self.keys(index).filter_map(|key| key.fault_in_place(SecretSource::sha256)));
        if self.signatures.len() > MAX_SIGNATURES {
            problems.push(Problem::new(path("signatures"), "holds more than 8", "remove those that nobody uses"));
        }
        for (number, signature) in self.signatures.iter().enumerate() {
            problems.extend(signature.problem(&path(&format!("signatures[{number}]"))));
        }
        if self.source.as_deref() == Some(SIGNED_BY_SNS) && !self.signatures.is_empty() {
            let remedy = "remove them, and list the topics in `sns.topics`";
            problems.push(Problem::new(path("signatures"), "SNS signs in its own way", remedy));
        }
        problems.extend(self.sns.problems(&path("sns"), self.source.as_deref()));
        problems
    }
}

impl SnsSection {
    fn problems(&self, path: &str, source: Option<&str>) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.topics.is_empty() && source.is_some_and(|source| source != SIGNED_BY_SNS) {
            let remedy = format!("remove it, or make the source {SIGNED_BY_SNS}");
            problems.push(Problem::new(path, "has no effect for this source", remedy));
        }
        if self.topics.len() > MAX_TOPICS {
            problems.push(Problem::new(format!("{path}.topics"), "holds more than 1,000", "make several integrations"));
        }
        for (number, topic) in self.topics.iter().enumerate() {
            let parts: Vec<_> = topic.split(':').collect();
            let is_arn = matches!(parts[..], ["arn", _, "sns", _, _, name] if !name.is_empty());
            if !is_arn {
                let key = format!("{path}.topics[{number}]");
                let remedy = "use its whole ARN, such as arn:aws:sns:eu-central-1:123456789012:alarms";
                problems.push(Problem::new(key, "is not the ARN of a topic", remedy));
            }
        }
        problems
    }
}

impl SignatureSection {
    /// Where the secret comes from, for the signature at `path`.
    #[must_use]
    pub fn secret(&self, path: &str) -> SecretSource {
        let (kind, inline, file, env) = match self {
            Self::Grafana(section) => ("grafana", &section.secret, &section.secret_file, &section.secret_env),
            Self::Sentry(section) => ("sentry", &section.secret, &section.secret_file, &section.secret_env),
            Self::HmacSha256(section) => ("hmac_sha256", &section.secret, &section.secret_file, &section.secret_env),
            Self::StandardWebhooks(section) => {
                ("standard_webhooks", &section.secret, &section.secret_file, &section.secret_env)
            }
        };
        let key = format!("{path}.{kind}.secret");
        SecretSource { key, inline: inline.clone(), file: file.clone(), env: env.clone() }
    }

    fn problem(&self, path: &str) -> Option<Problem> {
        let secret = self.secret(path);
        match self {
            Self::StandardWebhooks(_) => secret.fault_in_place(SecretSource::standard_webhooks_key),
            Self::Grafana(section) if section.timestamp_header.as_ref() == Some(&section.header) => {
                let remedy = "name two headers, as the contact point does";
                Some(Problem::new(format!("{path}.grafana.timestamp_header"), "is the signature's header", remedy))
            }
            _ => secret.fault_in_place(SecretSource::resolve),
        }
    }
}

/// Everything that is wrong with `integrations`.
pub(super) fn problems(integrations: &[IntegrationSection]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if integrations.len() > MAX_INTEGRATIONS {
        problems.push(Problem::new("integrations", "holds more than 1,000", "let senders of one kind share a key"));
    }
    let (mut names, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for (index, section) in integrations.iter().enumerate() {
        problems.extend(section.problems(index));
        if !names.insert(section.name.as_str()) {
            let key = format!("integrations[{index}].name");
            let fault = format!("`{}` is given twice", section.name);
            problems.push(Problem::new(key, fault, "give each integration its own name"));
        }
        for key in section.keys(index).filter(|key| key.inline.is_some()) {
            if key.sha256(&Environment::default()).is_ok_and(|hash| !hashes.insert(hash)) {
                problems.push(duplicate_key(&key));
            }
        }
    }
    problems
}

/// A key that another integration, or the same, has already.
#[must_use]
pub fn duplicate_key(key: &SecretSource) -> Problem {
    Problem::new(&key.key, "is a key that was given before", "give each integration its own keys")
}

fn grafana_header() -> HeaderName {
    HeaderName::from_static("x-grafana-alerting-signature")
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| de::Error::custom("is not the name of a header"))
}

fn some_header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    header_name(deserializer).map(Some)
}
