//! Webhooks of Sentry's integration platform
//! (<https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>).
//!
//! The header `Sentry-Hook-Resource` says what a body is about; where a proxy has removed it, the body's shape does.
//! An issue alert (`event_alert`) and the life of an issue (`issue`) tell of the same alert, known by the issue's id
//! whichever rule was triggered, so that resolving the issue in Sentry resolves it here. A metric alert is known by its
//! organization and rule. Everything else that Sentry sends (installations, errors, comments) holds no alert, and is
//! taken all the same: Sentry switches off a webhook that refuses too much.
//!
//! Bodies say when something broke, and not when it was resolved; so what they tell of holds when they come in.

mod issue;
mod metric;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Parsed, Request, SourceError, read};

/// Says what a body is about.
const RESOURCE_HEADER: &str = "sentry-hook-resource";
/// Names a delivery.
const DELIVERY_ID_HEADER: &str = "request-id";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    EventAlert,
    MetricAlert,
    Issue,
    Other,
}

/// What tells a body's resource.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "action")]
    _action: IgnoredAny,
    data: DataShape,
}

#[derive(Deserialize)]
struct DataShape {
    triggered_rule: Option<IgnoredAny>,
    metric_alert: Option<IgnoredAny>,
    issue: Option<IgnoredAny>,
}

pub(super) fn parse(request: &Request<'_>) -> Result<Parsed, SourceError> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let shape: Shape = read(request.body)?;
    let resource = header(RESOURCE_HEADER).map_or_else(|| shape.resource(), Resource::of_name);
    let alert = match resource {
        Resource::EventAlert => Some(issue::of_event_alert(request)?),
        Resource::Issue => issue::of_issue(request)?,
        Resource::MetricAlert => Some(metric::of_metric_alert(request)?),
        Resource::Other => None,
    };
    let delivery_id = header(DELIVERY_ID_HEADER).filter(|id| !id.is_empty()).map(str::to_owned);
    Ok(Parsed { alerts: alert.into_iter().collect(), delivery_id, ..Parsed::default() })
}

impl Resource {
    fn of_name(name: &str) -> Self {
        match name {
            "event_alert" => Self::EventAlert,
            "metric_alert" => Self::MetricAlert,
            "issue" => Self::Issue,
            _ => Self::Other,
        }
    }
}

impl Shape {
    const fn resource(&self) -> Resource {
        match &self.data {
            DataShape { metric_alert: Some(_), .. } => Resource::MetricAlert,
            DataShape { triggered_rule: Some(_), .. } => Resource::EventAlert,
            DataShape { issue: Some(_), .. } => Resource::Issue,
            _ => Resource::Other,
        }
    }
}

#[cfg(test)]
mod tests;
