//! Slack: as an app that edits what it has posted, or by incoming webhooks, which cannot.

mod blocks;
mod bot;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tocsin_bus::Quota;
use tocsin_service::config::document::{SlackAccess, SlackSection};
use tocsin_service::config::{Environment, Problem};

use super::Provider;
use crate::texts::Texts;

/// Slack takes about one message a second per channel, and short bursts (<https://docs.slack.dev/apis/web-api/rate-limits/>).
const PACE: [Quota; 1] = [Quota { interval: Duration::from_secs(1), burst: 5 }];

/// The receiver at `path`.
pub(super) fn provider(
    section: &SlackSection,
    path: &str,
    texts: Texts,
    env: &Environment,
) -> Result<Arc<dyn Provider>, Problem> {
    Ok(match section.access(path) {
        SlackAccess::Bot { token, channel, api_url } => {
            Arc::new(bot::SlackBot::new(token.resolve(env)?, channel, api_url, texts))
        }
        SlackAccess::Webhook(url) => Arc::new(webhook::SlackWebhook::new(url.http_address(env, false)?, texts)),
    })
}
