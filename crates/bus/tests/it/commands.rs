//! A command and its outcome, from the api to the worker and back.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tocsin_bus::{BusError, Stream};
use tocsin_shared::command::FIELDS;
use tocsin_shared::{Action, Actor, ActorKind, Command, CommandId, IncidentId, TraceContext};
use tocsin_testbed::stores::Redis;
use tocsin_testbed::{KeySpace, Stores, poll};

use crate::stage::{BLOCK, DEADLINE, Stage, read};

/// How many may wait at the same time.
const MAX_WAITING: usize = 32;

fn command() -> Command {
    Command {
        id: CommandId::generate(),
        at: chrono::SubsecRound::trunc_subsecs(chrono::Utc::now(), 6),
        actor: Actor { kind: ActorKind::Token, id: "ops".to_owned(), name: "Ann 🔥".to_owned() },
        trace: TraceContext::random(),
        action: Action::Acknowledge { incident: IncidentId::generate() },
    }
}

#[tokio::test]
async fn a_command_is_read_as_it_was_sent_and_gone_once_acknowledged() {
    let stage = Stage::shared();
    let (publisher, consumer) = (stage.plain_publisher(), stage.commands("one"));
    let sent = [command(), command()];
    for command in &sent {
        publisher.command(command.to_values().unwrap()).await.unwrap();
    }
    let batch = read(&consumer, 10).await;
    let commands: Vec<_> = batch.entries().iter().map(|entry| Command::from_fields(&entry.fields).unwrap()).collect();
    assert_eq!(commands, sent);
    assert!(batch.entries().iter().all(|entry| entry.fields.len() == FIELDS.len()));
    assert_eq!(stage.left(Stream::Commands).await, (2, 2));
    batch.ack().await.unwrap();
    assert_eq!(stage.left(Stream::Commands).await, (0, 0));
}

#[tokio::test]
async fn an_outcome_reaches_one_who_waits_already() {
    let stage = Stage::shared();
    let (publisher, outcomes, id) = (stage.plain_publisher(), stage.outcomes(), CommandId::generate());
    let waiting = tokio::spawn(async move { outcomes.wait(id, DEADLINE).await });
    let blocked = || async { stage.redis(Stream::Commands, "CLIENT LIST").await.contains("cmd=blpop") };
    poll::until("the wait to begin", DEADLINE, blocked).await.unwrap();
    let begun = Instant::now();
    publisher.outcome(id, "done").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().as_deref(), Some("done"));
    assert!(begun.elapsed() < DEADLINE / 2, "woken by the outcome, not by the clock");
}

#[tokio::test]
async fn an_outcome_lies_there_for_one_who_comes_late_but_not_for_ever() {
    let stage = Stage::shared();
    let (publisher, outcomes, id) = (stage.plain_publisher(), stage.outcomes(), CommandId::generate());
    publisher.outcome(id, "done").await.unwrap();
    let key = stage.key(Stream::Commands).replace(":commands", &format!(":outcome:{id}"));
    let ttl: i64 = stage.redis(Stream::Commands, &format!("PTTL {key}")).await.parse().unwrap();
    assert!((1..=30_000).contains(&ttl), "{ttl}");
    assert_eq!(outcomes.wait(id, BLOCK).await.unwrap().as_deref(), Some("done"));
    assert_eq!(outcomes.wait(id, BLOCK).await.unwrap(), None, "it is taken once");
}

#[tokio::test]
async fn each_waits_for_its_own_outcome() {
    let stage = Stage::shared();
    let (publisher, outcomes) = (stage.plain_publisher(), stage.outcomes());
    let (one, other) = (CommandId::generate(), CommandId::generate());
    publisher.outcome(one, "of one").await.unwrap();
    assert_eq!(outcomes.wait(other, BLOCK).await.unwrap(), None);
    assert_eq!(outcomes.wait(one, BLOCK).await.unwrap().as_deref(), Some("of one"));
}

#[tokio::test]
async fn without_an_outcome_the_wait_ends_in_time_also_for_more_than_may_wait_at_once() {
    let stage = Stage::shared();
    let outcomes = stage.outcomes();
    let begun = Instant::now();
    let waiting: Vec<_> = (0..2 * MAX_WAITING)
        .map(|_| {
            let outcomes = outcomes.clone();
            tokio::spawn(async move { outcomes.wait(CommandId::generate(), Duration::from_secs(1)).await })
        })
        .collect();
    for wait in waiting {
        assert_eq!(wait.await.unwrap().unwrap(), None);
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn after_a_restart_of_redis_commands_and_outcomes_go_on() {
    let folder = TempDir::new_in(Stores::shared().unwrap().folder()).unwrap();
    let redis = Redis::start(&folder.path().join("redis"), folder.path()).await.unwrap();
    let stage = Stage::new(KeySpace::at(redis.url(), "tocsin"), Duration::from_millis(400));
    let (publisher, outcomes, id) = (stage.plain_publisher(), stage.outcomes(), CommandId::generate());
    publisher.outcome(id, "before").await.unwrap();
    assert_eq!(outcomes.wait(id, DEADLINE).await.unwrap().as_deref(), Some("before"));

    redis.process().kill().await.unwrap();
    let error = publisher.command(command().to_values().unwrap()).await.unwrap_err();
    assert!(matches!(error, BusError::Timeout | BusError::Publish(_)), "{error:?}");

    redis.process().start().await.unwrap();
    redis.wait_ready().await.unwrap();
    let send = async || publisher.outcome(id, "after").await;
    poll::until("the publisher to recover", DEADLINE, send).await.unwrap();
    let first = outcomes.wait(id, Duration::from_secs(2)).await.unwrap();
    assert_eq!(first.as_deref(), Some("after"), "the first wait must not fall for a connection that is dead");
}
