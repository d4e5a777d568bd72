//! Who makes the services' roles, and what happens when nobody may.

use tocsin_store::{Privileges, grant_privileges, migrate};
use tocsin_testbed::{Database, Stores};

const ROLES: &str = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'tocsin\\_%'";
const ALL: &str = "tocsin_api tocsin_ingest tocsin_notifier tocsin_worker";

/// A Postgres without roles of services: those belong to the cluster, and other tests use them.
async fn untouched() -> (Stores, tempfile::TempDir) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let parent = Stores::shared().unwrap().folder().to_owned();
    let folder = tempfile::Builder::new().permissions(permissions).tempdir_in(parent).unwrap();
    (Stores::start(folder.path()).await.unwrap(), folder)
}

/// A fresh database of a cluster that belongs to `owner`; its address for the owner.
async fn database_of(stores: &Stores, name: &str, owner: &str) -> String {
    let admin = stores.postgres().url();
    Database::at(&admin).sql(&format!("CREATE DATABASE {name} OWNER {owner}")).await.unwrap();
    let (server, _database) = admin.rsplit_once('/').unwrap();
    format!("{}/{name}", server.replacen("tocsin@", &format!("{owner}@"), 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_cluster_may_be_migrated_at_once_and_again() {
    let (stores, _folder) = untouched().await;
    let mut migrations = Vec::new();
    for number in 0..4 {
        let url = database_of(&stores, &format!("tenant_{number}"), "tocsin").await;
        migrations.push(tokio::spawn(async move {
            migrate(&url.as_str().into()).await.unwrap();
            let first = grant_privileges(&url.as_str().into()).await.unwrap();
            (first, grant_privileges(&url.as_str().into()).await.unwrap())
        }));
    }
    for migration in migrations {
        assert_eq!(migration.await.unwrap(), (Privileges::Granted, Privileges::Granted));
    }
    let admin = Database::at(stores.postgres().url());
    assert_eq!(admin.sql(ROLES).await.unwrap(), [[ALL]]);
    let passwords = "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'tocsin\\_%' AND rolpassword IS NOT NULL";
    assert_eq!(admin.sql(passwords).await.unwrap(), [["0"]], "nobody can log in by password");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_may_not_make_roles_is_told_and_grants_once_an_administrator_has_made_them() {
    let (stores, _folder) = untouched().await;
    let admin = Database::at(stores.postgres().url());
    admin.sql("CREATE ROLE keeper LOGIN").await.unwrap();
    let url = database_of(&stores, "kept", "keeper").await;
    let url = url.as_str().into();
    migrate(&url).await.unwrap();
    assert_eq!(grant_privileges(&url).await.unwrap(), Privileges::RolesMissing);
    assert_eq!(admin.sql(ROLES).await.unwrap(), [[""]]);

    admin.sql(include_str!("../../privileges/roles.sql")).await.unwrap();
    assert_eq!(grant_privileges(&url).await.unwrap(), Privileges::Granted);
}

#[tokio::test]
async fn what_is_no_longer_granted_goes_away() {
    let database = Database::shared().await.unwrap();
    let may = "SELECT has_table_privilege('tocsin_api', 'inbox', 'SELECT')";
    database.sql("GRANT SELECT ON inbox TO tocsin_api").await.unwrap();
    assert_eq!(database.sql(may).await.unwrap(), [["t"]]);
    grant_privileges(&database.url().into()).await.unwrap();
    assert_eq!(database.sql(may).await.unwrap(), [["f"]]);
}
