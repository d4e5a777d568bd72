//! Integrations: a name, one or two keys, how their requests are signed, and how many there may be.
//!
//! A key is known only by its SHA-256: it has enough entropy of its own that a slow hash would add nothing. Every
//! request's key is compared with every known one, so that the time tells neither whether nor where it was found.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use tocsin_service::config::document::{IntegrationSection, KEYLESS, Limit, duplicate_key};
use tocsin_service::config::{ConfigError, Document, Environment, Problem as Fault};
use tocsin_service::http::Problem;

use super::signature::Signature;
use crate::sources::Source;

/// Who may send.
#[derive(Debug, Clone)]
pub(crate) struct Integrations {
    keyless: Option<Arc<Integration>>,
    address_limit: Limit,
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    sha256: [u8; 32],
    integration: Arc<Integration>,
}

/// One sender, or several that share a key.
#[derive(Debug)]
pub(crate) struct Integration {
    /// Which of all senders it is; its alerts are its own.
    pub(crate) name: String,
    /// The only kind of sender that may use it, if there is just one.
    pub(crate) source: Option<String>,
    /// How many requests are taken.
    pub(crate) limit: Limit,
    signatures: Vec<Signature>,
    topics: Vec<String>,
}

impl Default for Integrations {
    /// What is in force without a file: webhooks need no key.
    fn default() -> Self {
        let keyless = Some(Arc::new(Integration::keyless(Limit::KEYLESS)));
        Self { keyless, address_limit: Limit::KEYLESS, keys: Vec::new() }
    }
}

impl Integrations {
    /// Builds what the file describes, and reads its secrets.
    pub(crate) fn from_document(document: &Document, env: &Environment) -> Result<Self, ConfigError> {
        let webhooks = &document.webhooks;
        let address_limit = webhooks.limit();
        let keyless = webhooks.keyless.then(|| Arc::new(Integration::keyless(address_limit)));
        let (mut keys, mut known) = (Vec::new(), BTreeSet::new());
        let mut problems = Vec::new();
        for (index, section) in document.integrations.iter().enumerate() {
            let integration = Arc::new(Integration::read(section, index, env, &mut problems));
            for source in section.keys(index) {
                match source.sha256(env) {
                    Ok(sha256) if known.insert(sha256) => {
                        keys.push(Key { sha256, integration: Arc::clone(&integration) });
                    }
                    Ok(_) => problems.push(duplicate_key(&source)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if problems.is_empty() { Ok(Self { keyless, address_limit, keys }) } else { Err(ConfigError { problems }) }
    }

    /// The integration of requests without a key; none if those are refused.
    pub(crate) fn keyless(&self) -> Option<&Arc<Integration>> {
        self.keyless.as_ref()
    }

    /// Whether any integration with a key is for this kind of sender.
    pub(crate) fn are_for(&self, source: &Source) -> bool {
        self.keys.iter().any(|key| key.integration.accepts(source))
    }

    /// How many requests one address may send that no integration answers for.
    pub(crate) const fn address_limit(&self) -> Limit {
        self.address_limit
    }

    /// The integration that has this key.
    pub(crate) fn by_key(&self, key: &str) -> Option<&Arc<Integration>> {
        let sha256: [u8; 32] = Sha256::digest(key).into();
        let mut found = u64::MAX;
        for (place, known) in (0_u64..).zip(&self.keys) {
            found.conditional_assign(&place, known.sha256.ct_eq(&sha256));
        }
        let place = usize::try_from(found).ok()?;
        self.keys.get(place).map(|key| &key.integration)
    }
}

impl Integration {
    fn keyless(limit: Limit) -> Self {
        Self { name: KEYLESS.to_owned(), source: None, limit, signatures: Vec::new(), topics: Vec::new() }
    }

    fn read(section: &IntegrationSection, index: usize, env: &Environment, problems: &mut Vec<Fault>) -> Self {
        let mut signatures = Vec::new();
        for (number, signature) in section.signatures.iter().enumerate() {
            let path = format!("integrations[{index}].signatures[{number}]");
            match Signature::read(signature, &path, env) {
                Ok(signature) => signatures.push(signature),
                Err(problem) => problems.push(problem),
            }
        }
        Self {
            name: section.name.clone(),
            source: section.source.clone(),
            limit: section.limit(),
            signatures,
            topics: section.sns.topics.clone(),
        }
    }

    /// Whether this kind of sender may use it.
    pub(crate) fn accepts(&self, source: &Source) -> bool {
        self.source.as_deref().is_none_or(|only| only == source.name)
    }

    /// Whether the request is signed in one of the configured ways; anything is, where none is configured. A refusal
    /// speaks of a signature that the request has, or else of the first that it could have.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Problem> {
        let mut failures = Vec::new();
        for signature in &self.signatures {
            match signature.verify(headers, body, now) {
                Ok(()) => return Ok(()),
                Err(failure) => failures.push(failure),
            }
        }
        let telling = failures.iter().find(|failure| !failure.is_missing()).or(failures.first());
        telling.map_or(Ok(()), |failure| Err(Problem::from(*failure)))
    }

    /// The SNS topics whose messages are taken; if there are none, those of every topic.
    pub(crate) fn topics(&self) -> &[String] {
        &self.topics
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use tocsin_service::config::document::OverLimit;
    use tocsin_shared::ErrorCode;

    use super::super::signature::tests::{at, headers, refusal};
    use super::*;
    use crate::sources;

    fn sha256(key: &str) -> String {
        hex::encode(Sha256::digest(key))
    }

    fn integrations(yaml: &str, env: &[(&str, &str)]) -> Result<Integrations, ConfigError> {
        let env = Environment::from_values(env.iter().copied());
        Integrations::from_document(&Document::parse(yaml)?, &env)
    }

    /// A file with one integration, whose key is `k`.
    fn of_one(rest: &str) -> String {
        format!("integrations: [{{name: a, keys: [{{sha256: {}}}], {rest}}}]", sha256("k"))
    }

    fn name(integrations: &Integrations, key: &str) -> Option<String> {
        integrations.by_key(key).map(|integration| integration.name.clone())
    }

    #[test]
    fn without_a_file_webhooks_need_no_key() {
        let keyless = Integrations::default().keyless().cloned().unwrap();
        assert_eq!((keyless.name.as_str(), keyless.limit.per_minute.get()), ("default", 300));
        assert!(sources::ALL.iter().all(|source| keyless.accepts(source)));
        assert_eq!(keyless.verify(&HeaderMap::new(), b"", at(0)), Ok(()));
    }

    #[test]
    fn webhooks_without_a_key_can_be_switched_off_or_limited() {
        assert!(integrations("webhooks: {keyless: false}", &[]).unwrap().keyless().is_none());
        let limited = integrations("webhooks: {limit: {per_minute: 7, over_limit: retry_later}}", &[]).unwrap();
        let limit = limited.keyless().unwrap().limit;
        assert_eq!((limit.per_minute.get(), limit.over_limit), (7, OverLimit::RetryLater));
    }

    #[test]
    fn a_key_names_its_integration_and_so_does_the_one_that_follows_it() {
        let mut yaml = "integrations:\n".to_owned();
        for index in 0..20 {
            let (old, new) = (sha256(&format!("old-{index}")), sha256(&format!("new-{index}")));
            writeln!(yaml, "  - {{name: n{index}, keys: [{{sha256: {old}}}, {{sha256: {new}}}]}}").unwrap();
        }
        let integrations = integrations(&yaml, &[]).unwrap();
        for index in 0..20 {
            assert_eq!(name(&integrations, &format!("old-{index}")), Some(format!("n{index}")));
            assert_eq!(name(&integrations, &format!("new-{index}")), Some(format!("n{index}")));
        }
        for unknown in ["", "old", "old-20", &sha256("old-0")] {
            assert_eq!(name(&integrations, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_fault_of_every_secret_is_reported_with_its_path() {
        let yaml = "integrations:
          - name: a
            keys: [{sha256_env: UNSET}, {sha256_file: /nonexistent}]
            signatures: [{grafana: {secret_env: UNSET}}, {standard_webhooks: {secret_env: SHORT}}]
          - {name: b, keys: [{sha256_env: SAME}]}
          - {name: c, keys: [{sha256_env: SAME}]}
          - {name: d, keys: [{sha256_env: SHORT}]}";
        let env = [("SAME", sha256("k")), ("SHORT", "whsec_c2hvcnQ=".to_owned())];
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        insta::assert_snapshot!(integrations(yaml, &env).unwrap_err());
    }

    #[test]
    fn an_integration_for_one_kind_of_sender_refuses_the_others() {
        let yaml = of_one("source: prometheus");
        let integrations = integrations(&yaml, &[]).unwrap();
        let only = integrations.by_key("k").unwrap();
        for source in sources::ALL {
            assert_eq!(only.accepts(source), source.name == "prometheus", "{}", source.path);
        }
    }

    #[test]
    fn any_of_the_configured_signatures_is_enough_and_none_is_not() {
        let yaml = of_one("signatures: [{sentry: {secret: one}}, {hmac_sha256: {secret: two}}]");
        let integrations = integrations(&yaml, &[]).unwrap();
        let integration = integrations.by_key("k").unwrap();
        // printf body | openssl dgst -sha256 -hmac one; … two
        let (one, two) = (
            "748b4f98dc74814295ce232a2b69b486fa0ac7b3a0f6b4bfb31e750af4075cc3",
            "sha256=141b0c76b0c2148b492f8fe297adc9519b8ee4805541e866819c1adbe2dce6d1",
        );
        let verify = |pairs: &[(&'static str, &str)]| integration.verify(&headers(pairs), b"body", at(0));
        assert_eq!(verify(&[("sentry-hook-signature", one)]), Ok(()));
        assert_eq!(verify(&[("x-webhook-signature", two)]), Ok(()));
        assert_eq!(verify(&[("sentry-hook-signature", "00"), ("x-webhook-signature", two)]), Ok(()));
        assert_eq!(refusal(verify(&[])), "header sentry-hook-signature: is missing");
        let wrong = verify(&[("x-webhook-signature", &two.replace("sha256=", "sha1="))]);
        assert_eq!(refusal(wrong), "header x-webhook-signature: cannot be read");
    }

    #[test]
    fn an_integration_has_its_topics_and_its_limit() {
        let yaml = of_one("sns: {topics: ['arn:aws:sns:eu-west-1:1:t']}, limit: {per_minute: 9}");
        let integrations = integrations(&yaml, &[]).unwrap();
        let integration = integrations.by_key("k").unwrap();
        assert_eq!(integration.topics(), ["arn:aws:sns:eu-west-1:1:t"]);
        assert_eq!((integration.limit.per_minute.get(), integration.limit.over_limit), (9, OverLimit::Reject));
    }

    #[test]
    fn a_refusal_does_not_say_what_would_have_been_right() {
        let yaml = of_one("signatures: [{sentry: {secret: hunter2}}]");
        let integrations = integrations(&yaml, &[]).unwrap();
        let sent = headers(&[("sentry-hook-signature", &"0".repeat(64))]);
        let problem = integrations.by_key("k").unwrap().verify(&sent, b"body", at(0)).unwrap_err();
        assert_eq!(problem.code(), ErrorCode::InvalidSignature);
        assert_eq!(problem.message(), "header sentry-hook-signature: does not match");
        assert!(!format!("{integrations:?}").contains("hunter2"));
    }
}
