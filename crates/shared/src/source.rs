//! The kinds of senders.

/// The name of each kind of sender that ingest knows: the `source` of its alerts, and of the integrations that are for
/// it alone. It stands here so that every service can check a configuration; ingest's tests hold it against its
/// senders.
pub const NAMES: &[&str] = &["cloudwatch", "datadog", "generic", "grafana", "pagerduty", "prometheus", "sentry"];
