//! The pair of stores that all tests of one run have in common.

use std::env;
use std::path::PathBuf;

use super::postgres::MAINTENANCE_DATABASE;
use super::{Stores, migrate};
use crate::stores::postgres::query;
use crate::{Result, TestbedError};

const REDIS_URL: &str = "TOCSIN_TEST_REDIS_URL";
const POSTGRES_URL: &str = "TOCSIN_TEST_POSTGRES_URL";
const TEMPLATE: &str = "TOCSIN_TEST_TEMPLATE";
const FOLDER: &str = "TOCSIN_TEST_FOLDER";

/// The migrated database that each test's database is a copy of.
const TEMPLATE_DATABASE: &str = "tocsin_template";

/// Where the shared stores are. Made by `tocsin-testbed with-stores` and handed to the tests in environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedStores {
    redis_url: String,
    postgres_url: String,
    template: String,
    folder: PathBuf,
}

impl SharedStores {
    /// Makes the migrated template in freshly started stores. `folder` is where tests may leave what shall go away with
    /// the run.
    ///
    /// # Errors
    /// When the worker is not built or its migrations fail.
    pub async fn prepare(stores: &Stores, folder: PathBuf) -> Result<Self> {
        let postgres = stores.postgres();
        let postgres_url = postgres.url_of(MAINTENANCE_DATABASE);
        postgres.create_database(TEMPLATE_DATABASE).await?;
        migrate(&postgres.url_of(TEMPLATE_DATABASE)).await?;
        // `CREATE DATABASE … TEMPLATE` fails while anybody is connected to the template, autovacuum included.
        let seal = format!("ALTER DATABASE {TEMPLATE_DATABASE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
        query(&postgres_url, &seal).await?;
        Ok(Self { redis_url: stores.redis().url(), postgres_url, template: TEMPLATE_DATABASE.to_owned(), folder })
    }

    /// The shared stores of this run.
    ///
    /// # Errors
    /// [`TestbedError::NoSharedStores`] when the program was not started by `with-stores`.
    pub fn from_env() -> Result<Self> {
        let read = |variable| env::var(variable).map_err(|_| TestbedError::NoSharedStores { variable });
        Ok(Self {
            redis_url: read(REDIS_URL)?,
            postgres_url: read(POSTGRES_URL)?,
            template: read(TEMPLATE)?,
            folder: read(FOLDER)?.into(),
        })
    }

    /// The variables from which [`SharedStores::from_env`] reads.
    #[must_use]
    pub fn to_env(&self) -> [(&'static str, String); 4] {
        [
            (REDIS_URL, self.redis_url.clone()),
            (POSTGRES_URL, self.postgres_url.clone()),
            (TEMPLATE, self.template.clone()),
            (FOLDER, self.folder.display().to_string()),
        ]
    }

    /// The address of the Redis.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// The address of a database that is there for statements about other databases.
    #[must_use]
    pub fn postgres_url(&self) -> &str {
        &self.postgres_url
    }

    /// The migrated database that nobody may connect to.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// A folder that is deleted when the run ends.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The address of another database in the same Postgres.
    pub(crate) fn url_of(&self, database: &str) -> String {
        match self.postgres_url.rsplit_once('/') {
            Some((server, _maintenance)) => format!("{server}/{database}"),
            None => self.postgres_url.clone(),
        }
    }
}
