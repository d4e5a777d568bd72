//! Least privilege: a role for each service, with just what it needs. What that is stands in `privileges/grants.sql`, whole
//! and not as a history, so that a privilege that is no longer needed goes away with its line.

use diesel::sql_types::Bool;
use diesel::{QueryableByName, sql_query};
use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use secrecy::SecretString;

use crate::StoreError;
use crate::migrations::connect_alone;

/// Makes the roles.
const ROLES: &str = include_str!("../privileges/roles.sql");
/// Says what they may do.
const GRANTS: &str = include_str!("../privileges/grants.sql");

const STATE: &str = "\
SELECT (SELECT count(*) = 4 FROM pg_roles
        WHERE rolname IN ('tocsin_ingest', 'tocsin_worker', 'tocsin_notifier', 'tocsin_api')) AS exist,
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS may_create";

#[derive(QueryableByName)]
struct State {
    #[diesel(sql_type = Bool)]
    exist: bool,
    #[diesel(sql_type = Bool)]
    may_create: bool,
}

/// What became of the services' roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privileges {
    /// Every service has its role with just what it needs.
    Granted,
    /// Some roles do not exist, and the user of this address may not make them. Nothing was done.
    RolesMissing,
}

/// Makes the roles of the services where they do not exist, and gives them what they need and nothing else. For after
/// [`migrate`](crate::migrate), with the same address: its user owns the tables.
pub async fn grant_privileges(url: &SecretString) -> Result<Privileges, StoreError> {
    let mut connection = connect_alone(url).await?;
    let State { exist, may_create } = sql_query(STATE).get_result(&mut connection).await?;
    if !exist {
        if !may_create {
            return Ok(Privileges::RolesMissing);
        }
        connection.batch_execute(ROLES).await?;
    }
    connection.batch_execute(GRANTS).await?;
    Ok(Privileges::Granted)
}
