//! Compares what the two sets of migrations make.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::db::{Db, Driver, Migrations};

/// Fails unless both databases have the same tables and views, columns with their nullability, and indexes.
/// Types are what differs, and what the stores' tests exercise.
pub async fn same_schema(migrations: &Migrations) {
    let sqlite = super::sqlite();
    let Some(postgres) = super::postgres().await else { return };
    let sqlite = describe(&sqlite.url, migrations).await;
    let postgres = describe(&postgres.url, migrations).await;
    let only_sqlite: Vec<_> = sqlite.difference(&postgres).collect();
    let only_postgres: Vec<_> = postgres.difference(&sqlite).collect();
    assert!(
        only_sqlite.is_empty() && only_postgres.is_empty(),
        "only SQLite: {only_sqlite:#?}, only PostgreSQL: {only_postgres:#?}"
    );
    assert!(sqlite.len() > 5, "nothing was compared");
}

async fn describe(url: &str, migrations: &Migrations) -> BTreeSet<String> {
    let db = Db::open(url, migrations).await.expect("migrations that run");
    let mut conn = db.read().await.expect("a connection");
    match conn.driver() {
        Driver::Sqlite(conn) => sqlx::query(SQLITE)
            .fetch_all(conn)
            .await
            .expect("SQLite's catalogue")
            .iter()
            .map(|row| row.get(0))
            .collect(),
        Driver::Postgres(conn) => sqlx::query(POSTGRES)
            .fetch_all(conn)
            .await
            .expect("PostgreSQL's catalogue")
            .iter()
            .map(|row| row.get(0))
            .collect(),
    }
}

const SQLITE: &str = "
    SELECT 'column ' || m.name || '.' || c.name || CASE WHEN c.\"notnull\" = 1 THEN ' NOT NULL' ELSE '' END
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'
    UNION ALL
    SELECT m.type || ' ' || m.name FROM sqlite_master m
    WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'
    UNION ALL
    SELECT 'index ' || m.name || CASE WHEN l.\"unique\" = 1 THEN ' unique' ELSE '' END || ' (' ||
        (SELECT group_concat(i.name, ', ') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno) i) || ')'
    FROM sqlite_master m JOIN pragma_index_list(m.name) l
    WHERE m.type = 'table' AND m.name <> '_sqlx_migrations' AND l.origin <> 'u'";

const POSTGRES: &str = "
    SELECT 'column ' || c.table_name || '.' || c.column_name
        || CASE WHEN c.is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> '_sqlx_migrations'
    UNION ALL
    SELECT CASE table_type WHEN 'VIEW' THEN 'view ' ELSE 'table ' END || table_name FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'
    UNION ALL
    SELECT 'index ' || t.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || ' (' ||
        (SELECT string_agg(a.attname::text, ', ' ORDER BY k.n)
         FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n)
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) || ')'
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = current_schema() AND t.relname <> '_sqlx_migrations'";
