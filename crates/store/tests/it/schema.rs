//! The schema: what diesel believes, what the migrations make, and who makes it.

use std::collections::BTreeMap;

use tocsin_store::migrate;
use tocsin_testbed::{Database, Stores};

/// Columns by table: name, type, whether NULL is allowed.
type Tables = BTreeMap<String, Vec<(String, String, bool)>>;

/// The tables as `src/schema.rs` declares them.
fn declared() -> Tables {
    let mut tables = Tables::new();
    let mut table = None;
    for line in include_str!("../../src/schema.rs").lines().map(str::trim) {
        if let Some((name, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            let columns = tables.entry(table.clone().expect("a column belongs to a table")).or_default();
            let nullable = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            columns.push((name.to_owned(), nullable.unwrap_or(kind).to_owned(), nullable.is_some()));
        } else if let Some((name, _key)) = line.strip_suffix(" {").and_then(|line| line.split_once(" (")) {
            table = Some(name.to_owned());
        }
    }
    tables
}

fn diesel_type(postgres_type: &str) -> &'static str {
    match postgres_type {
        "uuid" => "Uuid",
        "int8" => "BigInt",
        "int4" => "Integer",
        "text" => "Text",
        "jsonb" => "Jsonb",
        "timestamptz" => "Timestamptz",
        "bool" => "Bool",
        "_text" => "Array<Text>",
        "_timestamptz" => "Array<Timestamptz>",
        other => panic!("which type of diesel's is {other}?"),
    }
}

#[tokio::test]
async fn the_tables_are_what_diesel_takes_them_for() {
    let database = Database::shared().await.unwrap();
    let columns = "SELECT table_name, column_name, udt_name, is_nullable FROM information_schema.columns \
                   WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    let mut actual = Tables::new();
    let declared = declared();
    assert_eq!(declared.len(), 6, "{:?}", declared.keys());
    for row in database.sql(columns).await.unwrap() {
        let [table, column, kind, nullable] = <[String; 4]>::try_from(row).unwrap();
        if declared.contains_key(&table) {
            actual.entry(table).or_default().push((column, diesel_type(&kind).to_owned(), nullable == "YES"));
        }
    }
    assert_eq!(declared, actual);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_migrate_at_once_one_does_it_and_both_succeed() {
    let server = Stores::shared().unwrap();
    let name = format!("unmigrated_{}", std::process::id());
    Database::at(server.postgres_url()).sql(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (address, _maintenance) = server.postgres_url().rsplit_once('/').unwrap();
    let url = format!("{address}/{name}");
    let run = || {
        let url = url.as_str().into();
        tokio::spawn(async move { migrate(&url).await.unwrap() })
    };
    let (one, other) = (run(), run());
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    assert!(one.is_empty() != other.is_empty(), "{one:?} and {other:?}");
    let recorded = Database::at(&url).sql("SELECT count(*) FROM __diesel_schema_migrations").await.unwrap();
    assert_eq!(recorded, [[(one.len() + other.len()).to_string()]]);
    assert_eq!(migrate(&url.as_str().into()).await.unwrap(), [""; 0], "a third finds nothing to do");
}
