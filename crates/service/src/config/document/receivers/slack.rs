//! `slack`: an app of a workspace, which can edit what it has posted, or an incoming webhook, which cannot.

use std::num::NonZeroU16;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{Faults, SecretSource, address_fault};
use crate::config::is_encrypted_or_near;

/// Where Slack's Web API is (<https://docs.slack.dev/apis/web-api/>).
const API_URL: &str = "https://slack.com/api";

/// `slack`. Token and address are secrets, because whoever knows them can post.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackSection {
    bot_token: Option<SecretString>,
    bot_token_file: Option<PathBuf>,
    bot_token_env: Option<String>,
    channel: Option<String>,
    api_url: Option<Url>,
    webhook_url: Option<SecretString>,
    webhook_url_file: Option<PathBuf>,
    webhook_url_env: Option<String>,
    /// Most calls in a second, all notifiers together; five times as many may come at once. Slack itself takes about one a
    /// second per channel, and short bursts (<https://docs.slack.dev/apis/web-api/rate-limits/>).
    #[serde(default = "default_per_second")]
    pub per_second: NonZeroU16,
}

fn default_per_second() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// How Slack is reached.
#[derive(Debug, Clone)]
pub enum SlackAccess {
    /// As an app.
    Bot {
        /// Its token, `xoxb-…`.
        token: SecretSource,
        /// The id of the channel.
        channel: String,
        /// Where the Web API is, without a slash at the end.
        api_url: String,
    },
    /// By an incoming webhook at this address.
    Webhook(SecretSource),
}

impl SlackSection {
    /// How Slack is reached by the receiver at `path`. Valid if the file is.
    #[must_use]
    pub fn access(&self, path: &str) -> SlackAccess {
        if !self.is_bot() {
            return SlackAccess::Webhook(SecretSource {
                key: format!("{path}.slack.webhook_url"),
                inline: self.webhook_url.clone(),
                file: self.webhook_url_file.clone(),
                env: self.webhook_url_env.clone(),
            });
        }
        let token = SecretSource {
            key: format!("{path}.slack.bot_token"),
            inline: self.bot_token.clone(),
            file: self.bot_token_file.clone(),
            env: self.bot_token_env.clone(),
        };
        let api_url = self.api_url.as_ref().map_or(API_URL, Url::as_str).trim_end_matches('/').to_owned();
        SlackAccess::Bot { token, channel: self.channel.clone().unwrap_or_default(), api_url }
    }

    fn has_bot_token(&self) -> bool {
        self.bot_token.is_some() || self.bot_token_file.is_some() || self.bot_token_env.is_some()
    }

    /// A channel alone is a bot's whose token was forgotten.
    fn is_bot(&self) -> bool {
        self.has_bot_token() || (self.channel.is_some() && !self.has_webhook_url())
    }

    fn has_webhook_url(&self) -> bool {
        self.webhook_url.is_some() || self.webhook_url_file.is_some() || self.webhook_url_env.is_some()
    }

    pub(super) fn check(&self, path: &str, faults: &mut Faults) {
        let key = |name: &str| format!("{path}.slack.{name}");
        if self.has_bot_token() && self.has_webhook_url() {
            let remedy = "give `bot_token` and `channel`, or `webhook_url` alone";
            faults.add(format!("{path}.slack"), "has a bot's token and a webhook's address", remedy);
        }
        match self.access(path) {
            SlackAccess::Webhook(url) => {
                faults.extend(address_fault(&url, false));
                for (name, given) in [("channel", self.channel.is_some()), ("api_url", self.api_url.is_some())] {
                    if given {
                        faults.add(key(name), "is for bots", "remove it: the webhook has a channel of its own");
                    }
                }
            }
            SlackAccess::Bot { token, channel, .. } => {
                faults.extend(token.fault_in_place(SecretSource::resolve));
                let is_id = channel.starts_with(['C', 'G', 'D'])
                    && channel.len() > 1
                    && channel.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
                if !is_id {
                    let remedy = "give the channel's id, such as C0123456789, which its details show";
                    faults.add(key("channel"), "is not the id of a channel", remedy);
                }
                if self.api_url.as_ref().is_some_and(|url| !is_encrypted_or_near(url)) {
                    faults.add(key("api_url"), "is not an https address", "leave it out: it is for tests");
                }
            }
        }
    }
}
