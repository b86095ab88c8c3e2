//! The task API's tables, one module each. The only place with SQL.

pub(crate) mod idempotency_keys;
pub(crate) mod tasks;

use platform::db::Migrations;

pub static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../migrations/api/sqlite"),
    postgres: sqlx::migrate!("../migrations/api/postgres"),
};
