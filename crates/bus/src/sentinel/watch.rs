//! The watcher: one task per process that asks Sentinels, and one per Sentinel that listens to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::view::{Answer, choose};
use super::{Group, Known, Nobody, Primary};
use crate::BusError;

/// Longest that a Sentinel, or the Redis that it names, may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(300);
/// Time between two rounds of questions while the primary answers, and while none does.
const CALM_INTERVAL: Duration = Duration::from_secs(1);
const TROUBLED_INTERVAL: Duration = Duration::from_millis(250);
/// Time between two attempts to listen to a Sentinel.
const LISTEN_RETRY: Duration = Duration::from_secs(1);
/// What a Sentinel says when the primary has changed: name, old host, old port, new host, new port.
const SWITCHED: &str = "+switch-master";

/// Everything that watching needs.
pub(super) struct Watcher {
    sentinels: Vec<Sentinel>,
    name: String,
    /// How to log in at the primary; its address is replaced.
    redis: ConnectionInfo,
}

/// One Sentinel, with the connection to it while there is one.
struct Sentinel {
    client: Client,
    connection: Option<MultiplexedConnection>,
    /// Whether it answered last that it does not let us in.
    refuses: bool,
}

impl Watcher {
    pub(super) fn new(group: Group, url: &SecretString) -> Result<Self, BusError> {
        let address = |error: RedisError| BusError::Address(error.into());
        let redis = url.expose_secret().into_connection_info().map_err(address)?;
        let sentinel = |(host, port): (String, u16)| -> Result<Sentinel, RedisError> {
            let info = ConnectionAddr::Tcp(host, port).into_connection_info()?;
            let mut login = info.redis_settings().clone();
            if let Some((user, password)) = &group.login {
                login = login.set_password(password.expose_secret());
                if let Some(user) = user {
                    login = login.set_username(user);
                }
            }
            Ok(Sentinel { client: Client::open(info.set_redis_settings(login))?, connection: None, refuses: false })
        };
        let sentinels = group.addresses.into_iter().map(sentinel).collect::<Result<_, _>>().map_err(address)?;
        Ok(Self { sentinels, name: group.name, redis })
    }

    /// Begins to watch. It ends when nobody listens any more.
    pub(super) fn start(self) -> channel::Receiver<Known> {
        let (sender, receiver) = channel::channel(Err(Nobody::Unknown));
        tokio::spawn(self.run(sender));
        receiver
    }

    async fn run(mut self, known: channel::Sender<Known>) {
        let switched = Arc::new(Notify::new());
        // Dropped with this task, which ends them.
        let mut listeners = JoinSet::new();
        for sentinel in &self.sentinels {
            listeners.spawn(listen(sentinel.client.clone(), self.name.clone(), Arc::clone(&switched)));
        }
        let mut epoch = None;
        loop {
            let is_calm = self.round(&known, &mut epoch).await;
            let interval = if is_calm { CALM_INTERVAL } else { TROUBLED_INTERVAL };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = switched.notified() => {}
                () = known.closed() => return,
            }
        }
    }

    /// Asks everybody once. Whether there is a primary that says so itself.
    async fn round(&mut self, known: &channel::Sender<Known>, epoch: &mut Option<u64>) -> bool {
        let name = &self.name;
        let answers = join_all(self.sentinels.iter_mut().map(|sentinel| sentinel.ask(name))).await;
        let answers: Vec<Answer> = answers.into_iter().flatten().collect();
        let current = known.borrow().clone().ok();
        let chosen = choose(&answers, self.sentinels.len(), *epoch);
        // Without any Sentinel nothing changes: what leads goes on leading.
        let Some(candidate) = chosen.map(|answer| answer.primary.clone()).or_else(|| current.clone()) else {
            let is_refused = answers.is_empty() && self.sentinels.iter().any(|sentinel| sentinel.refuses);
            let nobody = if is_refused { Nobody::Refused } else { Nobody::Unknown };
            known.send_if_modified(|known| std::mem::replace(known, Err(nobody)) != Err(nobody));
            return false;
        };
        if !self.leads(&candidate).await {
            tracing::debug!(%candidate, "the Redis that Sentinels name does not say that it leads");
            return false;
        }
        if let Some(answer) = chosen {
            *epoch = Some(answer.epoch);
        }
        if current.as_ref() != Some(&candidate) {
            tracing::info!(primary = %candidate, epoch, "Redis has a primary");
            let _old = known.send_replace(Ok(candidate));
        }
        true
    }

    /// Whether a Redis says that it is the primary.
    async fn leads(&self, candidate: &Primary) -> bool {
        let address = ConnectionAddr::Tcp(candidate.host.clone(), candidate.port);
        let asking = async {
            let mut connection = connect(&Client::open(self.redis.clone().set_addr(address))?).await?;
            let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
            let role = role.into_iter().next().unwrap_or(redis::Value::Nil);
            Ok::<String, RedisError>(redis::from_redis_value(role)?)
        };
        matches!(timeout(ANSWER_TIMEOUT, asking).await, Ok(Ok(role)) if role == "master")
    }
}

impl Sentinel {
    /// Whom it names; `None` if it does not answer in time, or knows nobody.
    async fn ask(&mut self, name: &str) -> Option<Answer> {
        let connection = self.connection.take();
        let asking = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => connect(&self.client).await?,
            };
            let mut question = redis::pipe();
            question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
            question.cmd("SENTINEL").arg("MASTER").arg(name);
            let answer: (Option<(String, u16)>, HashMap<String, String>) =
                question.query_async(&mut connection).await?;
            Ok::<_, RedisError>((answer, connection))
        };
        match timeout(ANSWER_TIMEOUT, asking).await {
            Ok(Ok(((address, fields), connection))) => {
                self.connection = Some(connection);
                self.refuses = false;
                Answer::read(address, &fields)
            }
            Ok(Err(error)) => {
                let sentinel = self.client.get_connection_info().addr();
                let was_refusing = std::mem::replace(&mut self.refuses, is_refusal(&error));
                if self.refuses && !was_refusing {
                    tracing::error!(
                        %sentinel,
                        %error,
                        "a Sentinel refuses the login: check TOCSIN_REDIS_SENTINEL_USER and TOCSIN_REDIS_SENTINEL_PASSWORD"
                    );
                }
                tracing::debug!(%error, %sentinel, "a Sentinel does not answer");
                None
            }
            Err(_elapsed) => None,
        }
    }
}

/// Whether a Sentinel says that it asks for another login, or that who logged in may not ask.
fn is_refusal(error: &RedisError) -> bool {
    let answers = error.clone().into_server_errors();
    let codes = answers.iter().flat_map(|answers| answers.iter().map(|(_, answer)| answer.code()));
    error.kind() == ErrorKind::AuthenticationFailed
        || codes.into_iter().any(|code| matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM"))
}

/// Wakes the watcher when this Sentinel says that there is another primary. For as long as the watcher lives.
async fn listen(client: Client, name: String, switched: Arc<Notify>) {
    let prefix = format!("{name} ");
    loop {
        let subscribing = async {
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(SWITCHED).await?;
            Ok::<_, RedisError>(subscription)
        };
        if let Ok(Ok(mut subscription)) = timeout(ANSWER_TIMEOUT, subscribing).await {
            let mut messages = subscription.on_message();
            while let Some(message) = messages.next().await {
                if message.get_payload::<String>().is_ok_and(|text| text.starts_with(&prefix)) {
                    switched.notify_one();
                }
            }
        }
        tokio::time::sleep(LISTEN_RETRY).await;
    }
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER_TIMEOUT));
    client.get_multiplexed_async_connection_with_config(&config.set_response_timeout(Some(ANSWER_TIMEOUT))).await
}
