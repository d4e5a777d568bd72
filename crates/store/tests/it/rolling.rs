//! Migrations expand first and contract later: while a deploy rolls, programs of the version before work on the new schema.

use std::collections::BTreeMap;

use tocsin_store::{
    AlertFilter, IncidentFilter, IncidentName, NoticeFilter, Plans, Store, StoreConfig, Verdict, Window,
};
use tocsin_testbed::Database;

use crate::ledger::{LONG, attempt, finish, room};
use crate::stage::{apply, at, firing, policy, resolved};

/// The columns that each released version knew, as [`columns`] shows them. Never changed: a later release adds one. A column may
/// go (contract) when no version that may still run names it; then its line goes, and the migration says why it may.
const RELEASED: &str = include_str!("../fixtures/released/columns-0.1.0.txt");

/// Column by column: its type, and whether a row may be inserted without it.
async fn columns(database: &Database) -> BTreeMap<String, (String, bool)> {
    let sql = "SELECT table_name || '.' || column_name, udt_name, \
               is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES' OR is_generated <> 'NEVER' \
               FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) \
               WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> '__diesel_schema_migrations'";
    let rows = database.sql(sql).await.unwrap().into_iter();
    let column = |row: Vec<String>| {
        let [name, kind, may_be_left_out] = <[String; 3]>::try_from(row).unwrap();
        (name, (kind, may_be_left_out == "t"))
    };
    rows.map(column).collect()
}

#[tokio::test]
async fn programs_of_the_version_before_work_on_the_new_schema() {
    let today = columns(&Database::shared().await.unwrap()).await;
    let lines = RELEASED.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let released: BTreeMap<&str, (&str, bool)> =
        lines.map(|words| (words[0], (words[1], words.get(2) == Some(&"optional")))).collect();
    assert!(released.len() > 50, "{} columns", released.len());
    for (name, (kind, could_be_left_out)) in &released {
        let Some((found, may_be_left_out)) = today.get(*name) else {
            panic!("{name} is gone, and the version before still names it");
        };
        assert_eq!(found, kind, "{name} has another type");
        assert!(*may_be_left_out || !could_be_left_out, "{name} must be given now, and the version before may not");
    }
    let tables: Vec<&str> = released.keys().filter_map(|name| name.split('.').next()).collect();
    for (name, (_, may_be_left_out)) in today.iter().filter(|(name, _)| !released.contains_key(name.as_str())) {
        let is_of_old_table = tables.contains(&name.split('.').next().unwrap_or_default());
        assert!(*may_be_left_out || !is_of_old_table, "{name} is new and must be given: the version before does not");
    }
}

/// What services do over and over, each with statements that its connection has prepared.
async fn at_work(store: &Store, second: i64) {
    apply(store, &[firing("Down", second), firing("Down", second + 1)]).await;
    apply(store, &[resolved("Down", second + 2)]).await;
    store.inbox_insert(&[firing("Late", second)]).await.unwrap();
    assert_eq!(store.inbox_apply(10, &policy()).await.unwrap().taken, 1);
    let notices = store.ledger_claim(&[room(10)], LONG).await.unwrap().notices;
    assert!(store.stories(&notices).await.unwrap().iter().all(Option::is_some));
    for notice in &notices {
        assert!(finish(store, notice, attempt(200, "ok"), Verdict::Delivered).await);
    }
    let window = || Window { before: None, offset: 0, limit: 10 };
    let incidents = store.incident_list(&IncidentFilter::default(), window()).await.unwrap().items;
    let id = incidents[0].incident.id;
    assert!(store.incident_detail(IncidentName::Id(id)).await.unwrap().is_some());
    assert!(store.incident_detail(IncidentName::Number(incidents[0].number)).await.unwrap().is_some());
    assert_eq!(store.incidents_get(&[id]).await.unwrap().len(), 1);
    assert!(!store.incidents_changed(at(0)).await.unwrap().is_empty());
    assert!(!store.incident_explain(id).await.unwrap().is_empty());
    let window = || Window { before: None, offset: 0, limit: 10 };
    assert!(!store.alert_list(&AlertFilter::default(), window()).await.unwrap().items.is_empty());
    let window = Window { before: None, offset: 0, limit: 10 };
    assert!(!store.notice_list(&NoticeFilter::default(), window).await.unwrap().items.is_empty());
    store.silence_list(true).await.unwrap();
    store.alerts_time_out(&policy(), at(second)).await.unwrap();
    store.incidents_remind(&policy(), at(second)).await.unwrap();
    store.suppression_step(&policy(), at(second)).await.unwrap();
}

/// To every table, but not to partitions, which have them from their table.
const ADD_COLUMNS: &str = "DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP EXECUTE format('ALTER TABLE %s ADD COLUMN of_the_next_version integer', name); END LOOP; END $$";

#[tokio::test]
async fn statements_that_are_prepared_work_on_when_a_migration_adds_columns() {
    let database = Database::shared().await.unwrap();
    // One connection, which has prepared everything by then.
    let store = Store::new(&StoreConfig {
        url: database.url().into(),
        connections: 1,
        timeout: LONG,
        application: "tocsin-test",
        plans: Plans::Kept,
    });
    at_work(&store, 1).await;
    database.sql(ADD_COLUMNS).await.unwrap();
    at_work(&store, 11).await;
}
