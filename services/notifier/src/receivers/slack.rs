//! Slack: as an app that edits what it has posted, or by incoming webhooks, which cannot.

mod blocks;
mod bot;
mod webhook;

use std::sync::Arc;

use tocsin_service::config::document::{SlackAccess, SlackSection};
use tocsin_service::config::{Environment, Problem};

use super::{Provider, pace};
use crate::texts::Texts;

/// The receiver at `path`.
pub(super) fn provider(
    section: &SlackSection,
    path: &str,
    texts: Texts,
    env: &Environment,
) -> Result<Arc<dyn Provider>, Problem> {
    let pace = pace(section.per_second);
    Ok(match section.access(path) {
        SlackAccess::Bot { token, channel, api_url } => {
            Arc::new(bot::SlackBot::new(token.resolve(env)?, channel, api_url, texts, pace))
        }
        SlackAccess::Webhook(url) => Arc::new(webhook::SlackWebhook::new(url.http_address(env, false)?, texts, pace)),
    })
}
