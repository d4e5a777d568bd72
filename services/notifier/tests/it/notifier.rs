//! A running notifier, the provider it talks to, and the ledger.

use std::time::Duration;

use chrono::{SubsecRound as _, Utc};
use tocsin_shared::{
    AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, Policy, Route, Routing,
    TraceContext,
};
use tocsin_store::{Plans, Store, StoreConfig};
use tocsin_testbed::doubles::{Recorded, Recorder};
use tocsin_testbed::topology::TopologyBuilder;
use tocsin_testbed::{Process, Service, Topology, poll};

/// What awaiting something may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// What nobody but the provider may see.
pub(crate) const SECRET: &str = "T00000000-B00000000-s3cr3ts3cr3t";

/// The one receiver, `ops`, is the recorder.
const CONFIG: &str = "receivers: [{name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL}}]";

pub(crate) struct Notifier {
    pub(crate) topology: Topology,
    pub(crate) provider: Recorder,
    store: Store,
}

impl Notifier {
    pub(crate) async fn start() -> Self {
        Self::start_as(|topology| topology).await
    }

    /// With these receivers: webhooks of the recorder, each at the path of its name. `more` is added to a receiver's section.
    pub(crate) async fn start_with(
        receivers: &[(&str, &str)],
        change: impl FnOnce(TopologyBuilder) -> TopologyBuilder,
    ) -> Self {
        let provider = Recorder::start().unwrap();
        let sections: Vec<String> = receivers
            .iter()
            .map(|(name, more)| {
                let url = format!("{}/{name}", provider.url());
                format!("  - {{name: {name}, webhook: {{url: \"{url}\", allow_private: true}}{more}}}\n")
            })
            .collect();
        Self::start_at(provider, |topology| change(topology.config_text(format!("receivers:\n{}", sections.concat()))))
            .await
    }

    pub(crate) async fn start_as(change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        Self::start_at(Recorder::start().unwrap(), change).await
    }

    async fn start_at(provider: Recorder, change: impl FnOnce(TopologyBuilder) -> TopologyBuilder) -> Self {
        let nothing_else = [Service::Ingest, Service::Worker, Service::Api]
            .into_iter()
            .fold(Topology::builder(), |topology, service| topology.count(service, 0));
        let configured =
            nothing_else.config_text(CONFIG).slack_webhook_url(format!("{}/services/{SECRET}", provider.url()));
        let topology = change(configured).start().await.unwrap();
        let store = Store::new(&StoreConfig {
            url: topology.tenant().database_url().into(),
            connections: 2,
            timeout: Duration::from_secs(20),
            application: "tocsin-test",
            plans: Plans::Fresh,
        });
        Self { topology, provider, store }
    }

    pub(crate) fn process(&self) -> &Process {
        self.topology.process("notifier-1").unwrap()
    }

    /// Puts notices for `receiver` into the ledger, as a worker would that nobody wakes for: the sweep has to find them.
    pub(crate) async fn notify(&self, receiver: &str, deliveries: &[Envelope]) {
        let route = Route { receiver: Some(receiver.to_owned()), ..Route::default() };
        let policy = Policy { routing: Routing::new(route), ..Policy::default() };
        self.store.batch_apply(deliveries, &[], &policy).await.unwrap();
    }

    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        self.topology.tenant().sql(sql).await.unwrap()
    }

    /// Awaits the ledger's rows, each `kind status attempts reason`.
    pub(crate) async fn ledger_becomes(&self, rows: &[&str]) {
        let look =
            "SELECT concat_ws(' ', kind, status, attempts, reason) FROM notifications ORDER BY created_at, revision";
        poll::until("the ledger to come to its end", DEADLINE, async || {
            poll::expect(self.sql(look).await.concat(), |seen| seen == rows)
        })
        .await
        .unwrap();
    }

    /// Awaits the ledger's rows, each `receiver kind status reason`, in the order of the receivers' names and revisions.
    pub(crate) async fn fates_become(&self, rows: &[&str]) {
        let look = "SELECT concat_ws(' ', receiver, kind, status, reason) FROM notifications \
                    ORDER BY receiver, revision, created_at, id";
        poll::until("the ledger to come to its end", DEADLINE, async || {
            poll::expect(self.sql(look).await.concat(), |seen| seen == rows)
        })
        .await
        .unwrap();
    }

    /// The value of a metric's only sample whose line begins like this.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let url = format!("{}/metrics", self.topology.service_url("notifier-1").unwrap());
        let page = tocsin_testbed::http::client().unwrap().get(url).send().await.unwrap().text().await.unwrap();
        let line = page.lines().find(|line| line.starts_with(sample)).unwrap_or_else(|| panic!("{sample}: {page}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// What is recorded of attempts, each `attempt http_status answer`.
    pub(crate) async fn attempts(&self) -> Vec<String> {
        let look =
            "SELECT concat_ws(' ', attempt, coalesce(http_status::text, '-'), answer) FROM deliveries ORDER BY id";
        self.sql(look).await.concat()
    }
}

/// The headline of a message to Slack.
pub(crate) fn headline(message: &Recorded) -> String {
    message.json().unwrap()["text"].as_str().unwrap().to_owned()
}

/// A delivery that says, now, of the only alert in a group that it fires or is resolved.
pub(crate) fn delivery(group: &str, status: AlertStatus) -> Envelope {
    let now = Utc::now().trunc_subsecs(6);
    let labels = Labels::from([("alertname".to_owned(), group.to_owned())]);
    Envelope {
        id: EventId::generate(),
        received_at: now,
        source: "generic".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::new(1, 1, 0),
        alerts: vec![AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status,
            severity: AlertSeverity::Critical,
            title: group.to_owned(),
            description: None,
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: Some(now),
            ended_at: (status == AlertStatus::Resolved).then_some(now),
            event_at: now,
            expires_at: None,
            expires: false,
            is_bare: false,
        }],
        acknowledged: Vec::new(),
    }
}

pub(crate) fn firing(group: &str) -> Envelope {
    delivery(group, AlertStatus::Firing)
}

pub(crate) fn resolved(group: &str) -> Envelope {
    delivery(group, AlertStatus::Resolved)
}
