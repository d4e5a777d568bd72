//! Migrations expand first and contract later: while a deploy rolls, programs of the version before work on the new schema.

use std::collections::BTreeMap;

use tocsin_testbed::Database;

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
