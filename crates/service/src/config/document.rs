//! `tocsin.yaml`: what people decide. Addresses and tuning come from the environment instead.

mod webhooks;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use tocsin_shared::alert::ALERTNAME;
use tocsin_shared::routing::GroupBy;
use tocsin_shared::{Policy, Route, Routing};

use super::{ConfigError, Problem, SecretSource};
pub use webhooks::{
    GrafanaSection, IntegrationSection, KEYLESS, Limit, OverLimit, SignatureSecret, SignatureSection, SnsSection,
    WebhooksSection, duplicate_key,
};

/// The whole file. Unknown keys are faults: a misspelt one would otherwise be silently without effect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Webhooks without a key.
    pub webhooks: WebhooksSection,
    /// Who may send with a key.
    pub integrations: Vec<IntegrationSection>,
    /// Which receiver is told, and what is grouped.
    pub route: RouteSection,
    /// Who can be told.
    pub receivers: Vec<ReceiverSection>,
    /// The read API.
    pub api: ApiSection,
}

/// `route`: the root of the routing tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteSection {
    /// The name of one of `receivers`; without it nobody is told.
    pub receiver: Option<String>,
    /// The labels whose values make a group.
    pub group_by: Vec<String>,
}

impl Default for RouteSection {
    fn default() -> Self {
        Self { receiver: None, group_by: vec![ALERTNAME.to_owned()] }
    }
}

/// One of `receivers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSection {
    /// What routes call it.
    pub name: String,
    /// A Slack incoming webhook.
    pub slack: Option<SlackSection>,
}

/// `slack`: an incoming webhook. The address is a secret, because whoever knows it can post.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the file's keys")]
pub struct SlackSection {
    webhook_url: Option<SecretString>,
    webhook_url_file: Option<PathBuf>,
    webhook_url_env: Option<String>,
}

/// `api`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// Who may call the API.
    pub tokens: Vec<TokenSection>,
}

/// One of `api.tokens`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSection {
    /// Who it is for; appears in logs.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    sha256: Option<SecretString>,
    sha256_file: Option<PathBuf>,
    sha256_env: Option<String>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To read.
    Read,
    /// To act on incidents.
    Respond,
    /// Everything.
    Admin,
}

impl SlackSection {
    /// Where the address comes from, for the receiver at `index`.
    #[must_use]
    pub fn webhook_url(&self, index: usize) -> SecretSource {
        SecretSource {
            key: format!("receivers[{index}].slack.webhook_url"),
            inline: self.webhook_url.clone(),
            file: self.webhook_url_file.clone(),
            env: self.webhook_url_env.clone(),
        }
    }
}

impl TokenSection {
    /// Where the token's SHA-256 (64 hexadecimal digits) comes from, for the token at `index`.
    #[must_use]
    pub fn sha256(&self, index: usize) -> SecretSource {
        SecretSource {
            key: format!("api.tokens[{index}].sha256"),
            inline: self.sha256.clone(),
            file: self.sha256_file.clone(),
            env: self.sha256_env.clone(),
        }
    }
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
        let document: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let key = if path == "." { "tocsin.yaml".to_owned() } else { path };
            one(key, without_values(&error.into_inner().to_string()), "see the comments in the example tocsin.yaml")
        })?;
        let problems = document.problems();
        if problems.is_empty() { Ok(document) } else { Err(ConfigError { problems }) }
    }

    /// The rules about alerts that the file describes.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let RouteSection { receiver, group_by } = self.route.clone();
        let root = Route { receiver, group_by: GroupBy::Labels(group_by), ..Route::default() };
        Policy { routing: Routing::new(root), ..Policy::default() }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = webhooks::problems(&self.integrations);
        let mut fault = |key: String, fault: String, remedy: &str| {
            problems.push(Problem { key, fault, remedy: remedy.to_owned() });
        };
        let mut names = BTreeSet::new();
        for (index, receiver) in self.receivers.iter().enumerate() {
            let key = format!("receivers[{index}]");
            if receiver.name.is_empty() || receiver.name.len() > 100 {
                fault(format!("{key}.name"), "must have 1 to 100 bytes".to_owned(), "give a short name");
            }
            if !names.insert(receiver.name.as_str()) {
                fault(
                    format!("{key}.name"),
                    format!("`{}` is given twice", receiver.name),
                    "give each receiver its own name",
                );
            }
            match &receiver.slack {
                None => fault(key, "has no kind".to_owned(), "add a `slack` section"),
                Some(slack) => {
                    if let Some(Problem { key, fault: text, remedy }) = slack.webhook_url(index).fault() {
                        fault(key, text, &remedy);
                    }
                }
            }
        }
        if let Some(name) = &self.route.receiver
            && !names.contains(name.as_str())
        {
            fault("route.receiver".to_owned(), format!("no receiver is called `{name}`"), "name one of `receivers`");
        }
        if self.route.group_by.iter().any(String::is_empty) {
            fault("route.group_by".to_owned(), "holds an empty label name".to_owned(), "remove it");
        }
        let mut names = BTreeSet::new();
        for (index, token) in self.api.tokens.iter().enumerate() {
            if !names.insert(token.name.as_str()) {
                fault(
                    format!("api.tokens[{index}].name"),
                    format!("`{}` is given twice", token.name),
                    "give each token its own name",
                );
            }
            if token.scopes.is_empty() {
                fault(format!("api.tokens[{index}].scopes"), "is empty".to_owned(), "give one of read, respond, admin");
            }
            if let Some(Problem { key, fault: text, remedy }) = token.sha256(index).fault_in_place(SecretSource::sha256)
            {
                fault(key, text, &remedy);
            }
        }
        problems
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
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        for text in ["", "{}", "# nothing\n"] {
            let document = Document::parse(text).unwrap();
            assert_eq!(document.policy(), Policy::default());
            assert!(document.receivers.is_empty() && document.api.tokens.is_empty());
        }
    }

    #[test]
    fn the_example_in_the_repository_is_valid() {
        let text = include_str!("../../../../tocsin.yaml");
        let document = Document::parse(text).unwrap();
        assert!(document.route.receiver.is_some() && !document.api.tokens.is_empty());
        assert!(document.webhooks.keyless && document.integrations.is_empty());
        assert_eq!(document.webhooks.limit(), Limit::KEYLESS);
    }

    #[test]
    fn what_the_example_leaves_in_comments_is_valid() {
        let example = include_str!("../../../../tocsin.yaml");
        let (_, commented) = example.split_once("# integrations:\n").unwrap();
        let (commented, _) = commented.split_once("\n\n").unwrap();
        let lines: Vec<_> = commented.lines().map(|line| &line[2..]).collect();
        let section = lines.join("\n").replace("# - ", "- ").replace("# sns:", "sns:").replace("source: grafana", "");
        let document = Document::parse(&format!("integrations:\n{section}")).unwrap();
        assert_eq!(document.integrations[0].signatures.len(), 4);
        assert_eq!(document.integrations[0].limit(), Limit::INTEGRATION);
    }

    #[test]
    fn every_fault_is_reported_with_its_path() {
        let error = Document::parse(
            r"
            route: {receiver: nobody, group_by: ['']}
            receivers:
              - name: ops
              - name: ops
                slack: {webhook_url: a, webhook_url_file: b}
            api:
              tokens:
                - {name: t, scopes: []}
            ",
        );
        insta::assert_snapshot!(error.unwrap_err());
    }

    #[test]
    fn every_fault_of_an_integration_is_reported_with_its_path() {
        let text = include_str!("document/faulty_integrations.yaml");
        insta::assert_snapshot!(Document::parse(text).unwrap_err());
    }

    #[test]
    fn integrations_are_read_as_they_are_written() {
        insta::assert_debug_snapshot!(Document::parse(include_str!("document/integrations.yaml")).unwrap());
    }

    #[test]
    fn a_limit_that_is_given_in_part_is_completed_by_the_default_of_its_place() {
        let text = "
            webhooks: {limit: {over_limit: retry_later}}
            integrations: [{name: a, keys: [{sha256_env: A}], limit: {per_minute: 5}}]";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.webhooks.limit(), Limit { over_limit: OverLimit::RetryLater, ..Limit::KEYLESS });
        let per_minute = std::num::NonZeroU32::new(5).unwrap();
        assert_eq!(document.integrations[0].limit(), Limit { per_minute, ..Limit::INTEGRATION });
    }

    #[test]
    fn a_misspelt_key_is_a_fault_that_names_it() {
        let error = Document::parse("route: {reciever: ops}").unwrap_err();
        assert!(error.problems[0].key.starts_with("route"), "{error}");
        assert!(error.problems[0].fault.contains("reciever"), "{error}");
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        let error = Document::parse("route: [").unwrap_err();
        assert!(error.problems[0].fault.contains("line"), "{error}");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for (text, path) in [
            ("receivers: [{name: ops, slack: 'https://hooks.example/T0/SECRET'}]", "receivers[0].slack"),
            ("integrations: [{name: a, keys: [SECRET]}]", "integrations[0].keys[0]"),
            ("integrations: [{name: a, keys: [], signatures: [SECRET]}]", "integrations[0].signatures[0]"),
            (
                "integrations: [{name: a, keys: [], signatures: [{sentry: SECRET}]}]",
                "integrations[0].signatures[0].sentry",
            ),
            (
                "integrations: [{name: a, keys: [], signatures: [{sentry: {secret: 73323}}]}]",
                "integrations[0].signatures[0].sentry.secret",
            ),
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(!error.to_string().contains("SECRET") && !error.to_string().contains("73323"), "{error}");
            assert!(error.problems[0].key.starts_with(path), "{error}");
        }
    }
}
