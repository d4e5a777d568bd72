//! What can go wrong between us and Redis.

/// A command that did not succeed. Whether it took effect is unknown unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address is not one of Redis. Nothing was sent.
    #[error("TOCSIN_REDIS_URL is not an address of Redis")]
    Address(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Redis would forget what it is given.
    #[error("Redis does not keep what it is given: {remedy}")]
    NotDurable {
        /// What to do about it.
        remedy: &'static str,
    },
    /// Too few replicas have it.
    #[error("{acknowledged} of {wanted} replicas acknowledged in time")]
    NotReplicated {
        /// How many must.
        wanted: u32,
        /// How many did.
        acknowledged: u64,
    },
    /// Nobody is known to lead: the Sentinels do not answer, or name none. Nothing was sent.
    #[error("no Redis leads")]
    NoPrimary,
    /// Nobody is known to lead, since the Sentinels refuse us. Nothing was sent.
    #[error("the Sentinels refuse the login: check TOCSIN_REDIS_SENTINEL_USER and TOCSIN_REDIS_SENTINEL_PASSWORD")]
    SentinelLogin,
    /// No answer came in time.
    #[error("Redis did not answer in time")]
    Timeout,
    /// What is to be sent cannot be written, or what was left cannot be read.
    #[error("not a command or outcome in JSON")]
    Json(#[from] serde_json::Error),
    /// A producer's command failed.
    #[error("Redis refused or lost a command")]
    Publish(#[source] fred::error::Error),
    /// A consumer's command failed.
    #[error("Redis refused or lost a command")]
    Consume(#[source] redis::RedisError),
}

impl From<fred::error::Error> for BusError {
    fn from(error: fred::error::Error) -> Self {
        if *error.kind() == fred::error::ErrorKind::Timeout { Self::Timeout } else { Self::Publish(error) }
    }
}

impl From<redis::RedisError> for BusError {
    fn from(error: redis::RedisError) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Consume(error) }
    }
}
