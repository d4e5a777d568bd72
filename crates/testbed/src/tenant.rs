//! One test's share of the shared stores.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rand::Rng;

use crate::stores::{self, postgres_url_of, query, redis_url_of};
use crate::{Result, Service, SharedStores};

/// A fresh key prefix and a fresh, migrated database in the shared stores: to a Tocsin this looks like stores of its own.
#[derive(Debug)]
pub struct Tenant {
    keys: KeySpace,
    database: Database,
}

impl Tenant {
    /// A tenant of the shared stores of this run.
    ///
    /// # Errors
    /// Outside of `tocsin-testbed with-stores`, or when Postgres can't make the database.
    pub async fn shared() -> Result<Self> {
        Ok(Self { keys: KeySpace::shared()?, database: Database::shared().await? })
    }

    /// Any share of any stores.
    #[must_use]
    pub fn new(keys: KeySpace, database: Database) -> Self {
        Self { keys, database }
    }

    /// Its share of Redis.
    #[must_use]
    pub fn keys(&self) -> &KeySpace {
        &self.keys
    }

    /// Its share of Postgres.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The address of the Redis, for `TOCSIN_REDIS_URL`.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        self.keys.url()
    }

    /// What its keys begin with, for `TOCSIN_REDIS_PREFIX`.
    #[must_use]
    pub fn redis_prefix(&self) -> &str {
        self.keys.prefix()
    }

    /// The address of its database, for `TOCSIN_DATABASE_URL`.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Its Redis with the user of a service, who may do what that service needs.
    #[must_use]
    pub fn redis_url_for(&self, service: Service) -> String {
        redis_url_of(self.redis_url(), service.name())
    }

    /// Its database with the role of a service, which may do what that service needs.
    #[must_use]
    pub fn database_url_for(&self, service: Service) -> String {
        postgres_url_of(self.database_url(), &format!("tocsin_{service}"))
    }

    /// As [`Database::sql`].
    ///
    /// # Errors
    /// As [`Database::sql`].
    pub async fn sql(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        self.database.sql(sql).await
    }

    /// As [`KeySpace::redis`].
    ///
    /// # Errors
    /// As [`KeySpace::redis`].
    pub async fn redis<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        self.keys.redis(args).await
    }
}

/// A key prefix of a Redis. One that was made by [`KeySpace::shared`] deletes its keys when it is dropped.
#[derive(Debug)]
pub struct KeySpace {
    url: String,
    prefix: String,
    delete_on_drop: bool,
}

impl KeySpace {
    /// A fresh prefix in the shared Redis of this run.
    ///
    /// # Errors
    /// Outside of `tocsin-testbed with-stores`.
    pub fn shared() -> Result<Self> {
        let stores = SharedStores::from_env()?;
        let prefix = format!("test-{}", unique());
        Ok(Self { url: stores.redis_url().to_owned(), prefix, delete_on_drop: true })
    }

    /// Any Redis and prefix; its keys stay.
    #[must_use]
    pub fn at(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { url: url.into(), prefix: prefix.into(), delete_on_drop: false }
    }

    /// The address of the Redis.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What its keys begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Runs one command through `redis-cli` and returns its raw output without the line break at the end. Keys are not
    /// prefixed by this: give whole ones.
    ///
    /// # Errors
    /// When `redis-cli` is missing or fails, or Redis answers with an error.
    pub async fn redis<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        stores::redis_command(&self.url, args).await
    }

    /// Deletes all keys with the prefix, on a connection of its own.
    fn delete_keys(&self) -> std::io::Result<()> {
        const SCRIPT: &str = "local cursor = '0' repeat \
            local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1] .. '*', 'COUNT', 1000) \
            cursor = page[1] for _, key in ipairs(page[2]) do redis.call('UNLINK', key) end \
            until cursor == '0'";
        let address = self.url.trim_start_matches("redis://");
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(&resp_command(&["EVAL", SCRIPT, "0", &self.prefix]))?;
        // The answer has no meaning for us; waiting for it keeps the script from being cut off.
        let _length = stream.read(&mut [0; 64])?;
        Ok(())
    }
}

impl Drop for KeySpace {
    fn drop(&mut self) {
        if self.delete_on_drop {
            // Redis may be gone, and the whole Redis goes away with the run anyway.
            let _ = self.delete_keys();
        }
    }
}

/// A database of a Postgres. It is not deleted when this is dropped: that takes Postgres a checkpoint, and the whole
/// cluster goes away with the run.
#[derive(Debug, Clone)]
pub struct Database {
    url: String,
}

impl Database {
    /// A fresh, migrated database in the shared Postgres of this run.
    ///
    /// # Errors
    /// Outside of `tocsin-testbed with-stores`, or when Postgres can't make the database.
    pub async fn shared() -> Result<Self> {
        let stores = SharedStores::from_env()?;
        let name = format!("test_{}", unique());
        let create = format!("CREATE DATABASE {name} TEMPLATE {}", stores.template());
        query(stores.postgres_url(), &create).await?;
        Ok(Self { url: stores.url_of(&name) })
    }

    /// Any database.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL through `psql` and returns rows of columns as text (NULL as the empty string). For assertions.
    ///
    /// # Errors
    /// When `psql` is missing or the statement fails; the error has the server's words.
    pub async fn sql(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        query(&self.url, sql).await
    }
}

/// One command in Redis' wire format (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
pub(crate) fn resp_command(parts: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n{part}\r\n", part.len()).as_bytes());
    }
    bytes
}

fn unique() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
