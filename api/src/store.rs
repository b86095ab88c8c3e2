//! The task API's tables, one module each. The only place with SQL.

pub(crate) mod idempotency_keys;
pub(crate) mod tasks;

use chrono::{DateTime, Utc};
use platform::db::{Db, Error, Migrations};

pub static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../migrations/api/sqlite"),
    postgres: sqlx::migrate!("../migrations/api/postgres"),
};

/// Each removes at most `$2` rows of what has expired.
const STATEMENTS: [&str; 2] = [
    "DELETE FROM idempotency_keys WHERE (user_id, idempotency_key) IN
       (SELECT user_id, idempotency_key FROM idempotency_keys WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM dpop_proofs WHERE proof_hash IN
       (SELECT proof_hash FROM dpop_proofs WHERE expires_at <= $1 LIMIT $2)",
];

/// Removes what has expired.
pub(crate) async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    db.sweep(&STATEMENTS, now).await
}
