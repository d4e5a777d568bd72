//! What a test begins with: a share of Redis, envelopes, and a way to look at a stream past the bus.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use tocsin_bus::{
    Batch, BusConfig, BusError, Consumer, EventLog, Outcomes, Paces, Publisher, RateLimits, Sentinels, Stream,
};
use tocsin_shared::{AlertEvent, AlertSeverity, AlertStatus, Envelope, EventId, Fingerprint, Labels, TraceContext};
use tocsin_testbed::{KeySpace, poll};

/// The group of the tests.
pub(crate) const GROUP: &str = "worker";
/// How long one read waits.
pub(crate) const BLOCK: Duration = Duration::from_millis(100);
/// What awaiting something may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// Reads what the bus wrote, and brings about what the bus cannot.
pub(crate) struct Stage {
    keys: KeySpace,
    config: BusConfig,
}

impl Stage {
    /// In the shared Redis, with a timeout that only a hanging Redis reaches.
    pub(crate) fn shared() -> Self {
        Self::new(KeySpace::shared().unwrap(), Duration::from_secs(10))
    }

    pub(crate) fn new(keys: KeySpace, command_timeout: Duration) -> Self {
        let config =
            BusConfig { url: keys.url().into(), sentinels: None, prefix: keys.prefix().to_owned(), command_timeout };
        Self { keys, config }
    }

    /// With the Redis that Sentinels name, instead of the one that the keys are in.
    pub(crate) fn following(mut self, sentinels: Sentinels) -> Self {
        self.config.sentinels = Some(sentinels);
        self
    }

    pub(crate) fn publisher(&self) -> Sender {
        Sender { log: self.log(0), publisher: Publisher::start(&self.config).unwrap() }
    }

    pub(crate) fn log(&self, replicas: u32) -> EventLog {
        EventLog::start(&self.config, replicas).unwrap()
    }

    pub(crate) fn limits(&self) -> RateLimits {
        RateLimits::start(&self.config).unwrap()
    }

    pub(crate) fn paces(&self) -> Paces {
        Paces::start(&self.config).unwrap()
    }

    pub(crate) fn consumer(&self, name: &str) -> Consumer {
        Consumer::new(&self.config, Stream::Events, GROUP, name).unwrap()
    }

    pub(crate) fn wakes(&self, name: &str) -> Consumer {
        Consumer::new(&self.config, Stream::Notifications, GROUP, name).unwrap()
    }

    pub(crate) fn commands(&self, name: &str) -> Consumer {
        Consumer::new(&self.config, Stream::Commands, GROUP, name).unwrap()
    }

    /// The bus' own publisher, of commands and outcomes.
    pub(crate) fn plain_publisher(&self) -> Publisher {
        Publisher::start(&self.config).unwrap()
    }

    pub(crate) fn outcomes(&self) -> Outcomes {
        Outcomes::new(&self.config).unwrap()
    }

    pub(crate) fn key(&self, stream: Stream) -> String {
        stream.key(self.keys.prefix())
    }

    /// Runs a command on the key of a stream: `STREAM` stands for it.
    pub(crate) async fn redis(&self, stream: Stream, command: &str) -> String {
        let key = self.key(stream);
        let words = command.split(' ').map(|word| if word == "STREAM" { key.as_str() } else { word });
        self.keys.redis(words).await.unwrap()
    }

    /// How many entries the stream holds, and how many of them the group waits for.
    pub(crate) async fn left(&self, stream: Stream) -> (u64, u64) {
        let length = self.redis(stream, "XLEN STREAM").await;
        let pending = self.redis(stream, &format!("XPENDING STREAM {GROUP}")).await;
        let pending = pending.lines().next().unwrap_or_default();
        (length.parse().unwrap(), pending.parse().unwrap())
    }
}

/// Publishes one by one.
#[derive(Clone)]
pub(crate) struct Sender {
    log: EventLog,
    publisher: Publisher,
}

impl Sender {
    pub(crate) async fn publish(&self, envelope: &Envelope) -> Result<(), BusError> {
        self.log.probe().await?;
        self.log.append(vec![envelope.write().unwrap()]).await
    }

    pub(crate) async fn wake_notifier(&self) -> Result<(), BusError> {
        self.publisher.wake_notifier().await
    }

    pub(crate) async fn ping(&self) -> bool {
        self.publisher.ping().await
    }
}

/// An envelope like no other.
pub(crate) fn envelope(name: &str) -> Envelope {
    let at: DateTime<Utc> = Utc::now().trunc_subsecs(6);
    let labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
    Envelope {
        id: EventId::generate(),
        received_at: at,
        source: "generic".to_owned(),
        integration: "default".to_owned(),
        trace: TraceContext::random(),
        alerts: vec![AlertEvent {
            fingerprint: Fingerprint::of_labels(&labels),
            external_id: None,
            status: AlertStatus::Firing,
            severity: AlertSeverity::Critical,
            title: name.to_owned(),
            description: Some("line one\r\nline two \u{0} 🔥".to_owned()),
            labels,
            annotations: Labels::new(),
            source_url: None,
            started_at: Some(at),
            ended_at: None,
            event_at: at,
            expires_at: None,
            expires: false,
            is_bare: false,
        }],
        acknowledged: Vec::new(),
    }
}

/// Reads until something comes.
pub(crate) async fn read(consumer: &Consumer, max: usize) -> Batch {
    let read = poll::until("entries to come", DEADLINE, async || {
        let batch = consumer.read(max, BLOCK).await.map_err(|error| error.to_string())?;
        if batch.entries().is_empty() { Err("nothing".to_owned()) } else { Ok(batch) }
    });
    read.await.unwrap()
}

/// What a batch holds.
pub(crate) fn envelopes(batch: &Batch) -> Vec<Envelope> {
    batch.entries().iter().map(|entry| Envelope::from_fields(&entry.fields).unwrap()).collect()
}
