//! The primary changes, and both clients follow.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use tocsin_bus::{BusError, EventLog, Sentinels};
use tocsin_shared::EventId;
use tocsin_testbed::stores::{self, Redis};
use tocsin_testbed::{KeySpace, Stores, poll};

use crate::stage::{BLOCK, DEADLINE, Stage, envelope, envelopes};

const TIMEOUT: Duration = Duration::from_millis(500);
/// What a failover may take on a machine that has much else to do. Sentinels take a second to find a primary down.
const FAILOVER: Duration = Duration::from_secs(20);

/// A primary, two replicas and three Sentinels that this test may break. One Sentinel is paused all the while, and it is the
/// first in the list.
struct Group {
    stage: Stage,
    redis: Vec<Redis>,
    sentinels: stores::Sentinels,
    _folder: TempDir,
}

/// A user at the Sentinels who may do what services must, and the password of everybody there.
const USER: &str = "services";
const PASSWORD: &str = "only-for-sentinels";

/// Who logs in at the Sentinels.
type Login = (Option<String>, SecretString);

fn login(user: Option<&str>, password: &str) -> Login {
    (user.map(str::to_owned), password.into())
}

impl Group {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With a login if the Sentinels are to ask for one.
    async fn start_with(login: Option<Login>) -> Self {
        let folder = TempDir::new_in(Stores::shared().unwrap().folder()).unwrap();
        let path = |name: &str| folder.path().join(name);
        let logs: &Path = folder.path();
        let primary = Redis::start(&path("primary"), logs).await.unwrap();
        let one = Redis::start_replica("one", &path("one"), logs, &primary).await.unwrap();
        let two = Redis::start_replica("two", &path("two"), logs, &primary).await.unwrap();
        let replicas = [one, two];
        let sentinels = if login.is_some() {
            stores::Sentinels::start_guarded(folder.path(), &primary, &replicas, USER, PASSWORD).await.unwrap()
        } else {
            stores::Sentinels::start(folder.path(), &primary, &replicas).await.unwrap()
        };
        sentinels.processes().next().unwrap().pause().await.unwrap();
        let stage = Self::stage(&sentinels, login);
        let redis = [primary].into_iter().chain(replicas).collect();
        Self { stage, redis, sentinels, _folder: folder }
    }

    /// Nobody listens at the address itself: who leads is only known from Sentinels.
    fn stage(sentinels: &stores::Sentinels, login: Option<Login>) -> Stage {
        let named = Sentinels::new(sentinels.addresses(), sentinels.master().to_owned(), login);
        Stage::new(KeySpace::at("redis://127.0.0.1:9", "tocsin"), TIMEOUT).following(named)
    }

    /// A process that has just started.
    fn fresh(&self, login: Option<Login>) -> Stage {
        Self::stage(&self.sentinels, login)
    }

    fn primary(&self) -> &Redis {
        &self.redis[0]
    }

    /// The one that leads instead of the first.
    async fn elected(&self) -> &Redis {
        poll::until("another primary", FAILOVER, async || {
            for redis in &self.redis[1..] {
                if redis.info("role").await.ok().flatten().as_deref() == Some("master") {
                    return Some(redis);
                }
            }
            None
        })
        .await
        .unwrap()
    }
}

/// Appends one envelope, as ingest does; its id once it is durable.
async fn append(log: &EventLog) -> Result<EventId, String> {
    let sent = envelope("sent");
    log.probe().await.map_err(|error| error.to_string())?;
    log.append(vec![sent.write().unwrap()]).await.map_err(|error| error.to_string())?;
    Ok(sent.id)
}

/// Everything that the consumer is given until all of `wanted` was among it.
async fn receives(stage: &Stage, wanted: &HashSet<EventId>) {
    let consumer = stage.consumer("one");
    let seen = std::sync::Mutex::new(HashSet::new());
    poll::until("what was acknowledged", DEADLINE, async || {
        let batch = consumer.read(100, BLOCK).await.map_err(|error| error.to_string())?;
        let mut seen = seen.lock().unwrap();
        seen.extend(envelopes(&batch).into_iter().map(|envelope| envelope.id));
        let missing = wanted.difference(&seen).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} missing")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_primary_that_is_killed_is_left_and_nothing_acknowledged_is_lost() {
    let group = Group::start().await;
    let (log, consumer) = (group.stage.log(1), group.stage.consumer("two"));
    let mut acknowledged = HashSet::new();
    acknowledged.insert(poll::until("the first append", DEADLINE, async || append(&log).await).await.unwrap());
    // It has connections to the one that is killed.
    assert!(consumer.ping().await);
    group.primary().process().kill().await.unwrap();
    append(&log).await.unwrap_err();
    acknowledged.insert(poll::until("appends to go on", FAILOVER, async || append(&log).await).await.unwrap());
    poll::until("the consumer to go on", DEADLINE, async || consumer.ping().await).await.unwrap();
    receives(&group.stage, &acknowledged).await;
}

#[tokio::test]
async fn a_primary_that_hangs_is_left_and_gets_nothing_when_it_wakes_up() {
    let group = Group::start().await;
    let (log, consumer) = (group.stage.log(1), group.stage.consumer("two"));
    let mut acknowledged = HashSet::new();
    acknowledged.insert(poll::until("the first append", DEADLINE, async || append(&log).await).await.unwrap());
    group.primary().process().pause().await.unwrap();
    // A read that hangs there is given up when another leads, long before its own time is over.
    let reading = tokio::spawn(async move {
        let began = std::time::Instant::now();
        consumer.read(1, Duration::from_mins(1)).await.unwrap_err();
        began.elapsed()
    });
    acknowledged.insert(poll::until("appends to go on", FAILOVER, async || append(&log).await).await.unwrap());
    assert!(reading.await.unwrap() < FAILOVER, "the read did not notice");
    let elected = group.elected().await;
    group.primary().process().resume().await.unwrap();
    acknowledged.insert(poll::until("appends", DEADLINE, async || append(&log).await).await.unwrap());
    let length = elected.command(["XLEN", "tocsin:v1:{0}:events"]).await.unwrap();
    assert_eq!(length.parse(), Ok(acknowledged.len()), "all of it is where the new primary is");
    receives(&group.stage, &acknowledged).await;
}

#[tokio::test]
async fn a_primary_that_is_replaced_on_purpose_is_left_at_once() {
    let group = Group::start().await;
    let log = group.stage.log(1);
    let mut acknowledged = HashSet::new();
    acknowledged.insert(poll::until("the first append", DEADLINE, async || append(&log).await).await.unwrap());
    group.sentinels.fail_over().await.unwrap();
    group.elected().await;
    acknowledged.insert(poll::until("appends to go on", FAILOVER, async || append(&log).await).await.unwrap());
    receives(&group.stage, &acknowledged).await;
}

#[tokio::test]
async fn without_any_sentinel_the_primary_stays_and_nobody_is_found_anew() {
    let group = Group::start().await;
    let log = group.stage.log(1);
    poll::until("the first append", DEADLINE, async || append(&log).await).await.unwrap();
    for sentinel in group.sentinels.processes() {
        sentinel.kill().await.unwrap();
    }
    append(&log).await.unwrap();
    let other = group.fresh(None);
    let error = other.log(1).backlog().await.unwrap_err();
    assert!(matches!(error, BusError::NoPrimary), "{error:?}");
}

#[tokio::test]
async fn sentinels_that_ask_for_a_password_are_followed_through_a_failover() {
    let group = Group::start_with(Some(login(Some(USER), PASSWORD))).await;
    let log = group.stage.log(1);
    let mut acknowledged = HashSet::new();
    acknowledged.insert(poll::until("the first append", DEADLINE, async || append(&log).await).await.unwrap());
    // The default user needs the password alone.
    let other = group.fresh(Some(login(None, PASSWORD)));
    let other = other.log(1);
    poll::until("another process to find the primary", DEADLINE, async || other.probe().await).await.unwrap();
    group.primary().process().kill().await.unwrap();
    group.elected().await;
    acknowledged.insert(poll::until("appends to go on", FAILOVER, async || append(&log).await).await.unwrap());
    receives(&group.stage, &acknowledged).await;
}

#[tokio::test]
async fn a_login_that_sentinels_refuse_is_told_by_the_names_of_its_variables() {
    let group = Group::start_with(Some(login(None, PASSWORD))).await;
    let wrong = "not-the-password";
    let logins = [
        ("a wrong password", Some(login(None, wrong))),
        ("a user whom they do not know", Some(login(Some("nobody"), wrong))),
        ("none", None),
    ];
    for (what, login) in logins {
        let stage = group.fresh(login);
        let (log, consumer) = (stage.log(1), stage.consumer("one"));
        // Before the first answer nobody leads yet.
        let errors = poll::until("what is wrong", DEADLINE, async || {
            let error = log.backlog().await.unwrap_err();
            let read = consumer.read(1, BLOCK).await.unwrap_err();
            let is_told = matches!(error, BusError::SentinelLogin);
            let texts = [chain(&error), chain(&read)];
            if is_told { Ok(texts) } else { Err(texts.join("; ")) }
        })
        .await
        .unwrap();
        for text in errors {
            assert!(text.contains("TOCSIN_REDIS_SENTINEL_PASSWORD"), "{what}: {text}");
            assert!(!text.contains(wrong), "{what}: {text}");
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
