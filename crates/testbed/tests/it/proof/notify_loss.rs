//! Every notice comes to its end, whoever is killed: delivered, superseded or dead; told in order; and told twice only where a
//! notifier died between the provider's answer and its own record.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a proof says what it saw, in the functions that it is made of as well"
)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tocsin_testbed::doubles::{Answer, Recorded, Recorder};
use tocsin_testbed::topology::Service;
use tocsin_testbed::{Topology, poll};

use crate::turn::Turn;

const NOTIFIERS: usize = 3;
const DESTINATIONS: usize = 20;
const INCIDENTS: usize = 50;
/// What each destination is told of each incident. The first two are told as one where both are due.
const KINDS: [&str; 5] = ["triggered", "updated", "acknowledged", "flapping", "resolved"];
/// Time over which notices become due, and in which everything is killed.
const DURING: Duration = Duration::from_secs(14);
/// How long a receiver may be owed a notice: longer than the lease of a notifier that died (13.5 s) and what it takes to send.
const DEADLINE: &str = "28s";
/// When everything must have come to its end.
const PATIENCE: Duration = Duration::from_secs(80);
/// How long a provider takes to answer: so much is on the way when somebody is killed.
const ANSWER_TIME: Duration = Duration::from_millis(200);

const FAILING: &str = "d18";
const GONE: &str = "d19";
const FALLBACK: &str = "chief";

/// A notice as a provider got it.
#[derive(Debug)]
struct Told {
    id: String,
    incident: String,
    revision: i64,
    instead_of: Option<String>,
}

impl Told {
    fn read(request: &Recorded) -> Self {
        let body = request.json().unwrap();
        let data = &body["data"];
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        Self {
            id: text(&data["notification_id"]).unwrap(),
            incident: text(&data["incident"]["id"]).unwrap(),
            revision: data["revision"].as_i64().unwrap(),
            instead_of: text(&data["instead_of"]["receiver"]),
        }
    }
}

/// A row of the ledger at its end.
#[derive(Debug)]
struct Row {
    receiver: String,
    status: String,
    attempts: usize,
    recorded: usize,
    reason: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_notice_ends_and_is_told_in_order_and_once_but_for_the_moment_of_a_crash() {
    let _turn = Turn::alone().await;
    // Set TOCSIN_TEST_SEED to repeat a run.
    let seed = std::env::var("TOCSIN_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("TOCSIN_TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let provider = Recorder::start().unwrap();
    provider.set_default(Answer::ok().delay(ANSWER_TIME));
    provider.set_default_at(format!("/{FAILING}"), Answer::status(500).body("oops"));
    provider.set_default_at(format!("/{GONE}"), Answer::status(410).body("moved away"));
    let topology = start(&provider).await;
    fill(&topology).await;

    let on_the_way = break_everything(&topology, &mut rng).await;
    wait_for_the_end(&topology).await;
    topology.verify().await.unwrap();

    let rows = ledger(&topology).await;
    assert_each_ended(&rows);
    let requests: Vec<(String, Told)> = provider
        .requests()
        .iter()
        .map(|request| (request.path.trim_start_matches('/').to_owned(), Told::read(request)))
        .collect();
    assert_delivered_and_explained(&rows, &requests, on_the_way);
    assert_in_order(&requests);
    assert_fallback_told(&requests);
    topology.stop().await.unwrap();
}

async fn start(provider: &Recorder) -> Topology {
    let names = (0..DESTINATIONS).map(|n| format!("d{n:02}")).chain([FALLBACK.to_owned()]);
    let receivers: Vec<String> = names
        .map(|name| {
            let fallback = if name == GONE { format!(", fallback: {FALLBACK}") } else { String::new() };
            let url = format!("{}/{name}", provider.url());
            let webhook = format!("{{url: \"{url}\", allow_private: true, per_second: 1000}}");
            format!("  - {{name: {name}, webhook: {webhook}{fallback}}}\n")
        })
        .collect();
    Topology::builder()
        .own_stores()
        .config_text(format!("receivers:\n{}", receivers.concat()))
        .count(Service::Ingest, 0)
        .count(Service::Worker, 0)
        .count(Service::Api, 0)
        .count(Service::Notifier, NOTIFIERS)
        .env_for(Service::Notifier, "TOCSIN_NOTIFIER_REQUEST_TIMEOUT", "500ms")
        .env_for(Service::Notifier, "TOCSIN_NOTIFIER_DEADLINE", DEADLINE)
        .start()
        .await
        .unwrap()
}

/// Writes 5,000 notices, as a worker would that goes on while we break everything. All belong to incidents that were declared by
/// hand, so that the state is as it must be without alerts.
async fn fill(topology: &Topology) {
    let kinds = KINDS.map(|kind| format!("'{kind}'")).join(", ");
    let (versions, seconds) = (KINDS.len(), DURING.as_secs_f64());
    let sql = format!(
        "INSERT INTO incidents (id, title, status, severity, severity_is_set, declared, resolve_policy, group_key, labels, \
             alert_count, firing_critical, firing_warning, firing_info, triggered_at, updated_at, version) \
         SELECT gen_random_uuid(), 'Incident ' || n, 'triggered', 'high', true, true, 'never', 'group ' || n, '{{}}', \
             0, 0, 0, 0, now(), now(), {versions} FROM generate_series(1, {INCIDENTS}) AS n; \
         INSERT INTO notifications (id, incident_id, receiver, revision, kind, created_at, trace, next_attempt_at, owed_since) \
         SELECT gen_random_uuid(), i.id, 'd' || lpad(d::text, 2, '0'), k.revision, k.kind, now(), '', due.at, due.at \
         FROM incidents AS i, generate_series(0, {DESTINATIONS} - 1) AS d, \
             UNNEST(ARRAY[{kinds}]) WITH ORDINALITY AS k (kind, revision), \
             LATERAL (SELECT now() + make_interval(secs => {seconds} * ((i.number * 7 + d * 3) % 50 / 100.0 \
                 + CASE WHEN k.revision <= 2 THEN 0 ELSE 0.1 * k.revision END)) AS at) AS due"
    );
    topology.tenant().sql(&sql).await.unwrap();
    let count = topology.tenant().sql("SELECT count(*) FROM notifications").await.unwrap();
    assert_eq!(count, [[(INCIDENTS * DESTINATIONS * KINDS.len()).to_string()]]);
}

/// Kills each notifier once, empties Redis, and kills Postgres. Gives how many notices were on the way when notifiers were
/// killed: so many may be told twice.
async fn break_everything(topology: &Topology, rng: &mut StdRng) -> usize {
    let mut on_the_way = 0;
    for step in 0..5 {
        // Not for anything to happen: a moment that nobody has chosen is the point.
        tokio::time::sleep(Duration::from_millis(rng.random_range(1_000..2_500))).await;
        match step {
            1 => {
                let said = topology.tenant().redis(["FLUSHALL"]).await.unwrap();
                assert_eq!(said, "OK");
            }
            3 => {
                topology.process("postgres").unwrap().kill().await.unwrap();
                topology.process("postgres").unwrap().start().await.unwrap();
                topology.member("postgres").unwrap().wait_ready().await.unwrap();
            }
            _ => {
                let notifier = topology.process(&format!("notifier-{}", step / 2 + 1)).unwrap();
                notifier.kill().await.unwrap();
                // Those of the others are among them. None of its own can have ended since: it is dead.
                let sending = "SELECT count(*) FROM notifications WHERE status = 'sending' AND lease_until > now()";
                let sending: usize = topology.tenant().sql(sending).await.unwrap()[0][0].parse().unwrap();
                println!("{} was killed, with at most {sending} on the way", notifier.name());
                on_the_way += sending;
                notifier.start().await.unwrap();
            }
        }
    }
    on_the_way
}

async fn wait_for_the_end(topology: &Topology) {
    let begun = std::time::Instant::now();
    poll::until("every notice to come to its end", PATIENCE, async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let open =
            "SELECT receiver, status, count(*) FROM notifications WHERE status IN ('pending', 'sending') GROUP BY 1, 2";
        poll::expect(topology.tenant().sql(open).await.unwrap(), Vec::is_empty)
    })
    .await
    .unwrap();
    println!("everything had come to its end {:?} after the last blow", begun.elapsed());
}

async fn ledger(topology: &Topology) -> HashMap<String, Row> {
    let sql = "SELECT n.id, receiver, status, attempts, coalesce(reason, ''), \
                   (SELECT count(*) FROM deliveries AS d WHERE d.notification_id = n.id) FROM notifications AS n";
    let row = |columns: Vec<String>| {
        let [id, receiver, status, attempts, reason, recorded] = columns.try_into().unwrap();
        let (attempts, recorded) = (attempts.parse().unwrap(), recorded.parse().unwrap());
        (id, Row { receiver, status, attempts, recorded, reason })
    };
    topology.tenant().sql(sql).await.unwrap().into_iter().map(row).collect()
}

fn assert_each_ended(rows: &HashMap<String, Row>) {
    let mut fates: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows.values() {
        let receiver = match row.receiver.as_str() {
            known @ (FAILING | GONE | FALLBACK) => known,
            _ => "others",
        };
        *fates.entry((receiver, &row.status)).or_default() += 1;
        match (receiver, row.status.as_str()) {
            ("others" | FALLBACK, "delivered" | "superseded") | (FAILING | GONE, "superseded") => {}
            (FAILING, "dead") => assert!(row.reason.starts_with("not delivered within 28s, in "), "{row:?}"),
            (GONE, "dead") => assert!(row.reason.contains("410: moved away"), "{row:?}"),
            _ => panic!("{row:?}"),
        }
    }
    println!("{fates:?}");
}

/// What is delivered was received, and each request belongs to an attempt. More requests than recorded attempts there are only
/// where a notifier was killed.
fn assert_delivered_and_explained(rows: &HashMap<String, Row>, requests: &[(String, Told)], on_the_way: usize) {
    let mut received: HashMap<&str, usize> = HashMap::new();
    for (path, told) in requests {
        assert_eq!(&rows[&told.id].receiver, path, "told to whom it is for");
        *received.entry(&told.id).or_default() += 1;
    }
    let (mut unrecorded, mut twice) = (0, 0);
    for (id, row) in rows {
        let received = received.get(id.as_str()).copied().unwrap_or_default();
        assert!(row.status != "delivered" || received > 0, "{id} is said to be delivered: {row:?}");
        // One that was folded into the next after a crash gave its last attempt to that.
        assert!(received <= row.attempts.max(row.recorded + 1), "{id} was received {received} times: {row:?}");
        unrecorded += received.saturating_sub(row.recorded);
        twice += usize::from(row.status == "delivered" && received > row.recorded);
    }
    println!(
        "{} requests, {unrecorded} of which nobody could record, {twice} notices delivered more than once",
        requests.len()
    );
    assert!(unrecorded <= on_the_way, "{unrecorded} were sent and not recorded, {on_the_way} on the way at kills");
}

fn assert_in_order(requests: &[(String, Told)]) {
    let mut newest: HashMap<(&str, &str, Option<&str>), i64> = HashMap::new();
    for (path, told) in requests {
        let last = newest.entry((path, &told.incident, told.instead_of.as_deref())).or_insert(told.revision);
        assert!(*last <= told.revision, "{path} was told of revision {} after {last}: {told:?}", told.revision);
        *last = told.revision;
    }
}

/// Of each incident the fallback was told, last of its newest revision.
fn assert_fallback_told(requests: &[(String, Told)]) {
    let mut newest: HashMap<&str, i64> = HashMap::new();
    for (_, told) in requests.iter().filter(|(path, _)| path == FALLBACK) {
        assert_eq!(told.instead_of.as_deref(), Some(GONE));
        newest.insert(&told.incident, told.revision);
    }
    assert_eq!(newest.len(), INCIDENTS);
    assert!(newest.values().all(|revision| *revision == i64::try_from(KINDS.len()).unwrap()), "{newest:?}");
}
