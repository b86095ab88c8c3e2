//! The one place that knows there are two databases.
//!
//! Every statement in a `store/` is written once, in SQL that SQLite and PostgreSQL both accept, and
//! run through [`on_conn!`](crate::on_conn). The macro pastes the query into one arm per driver, so
//! each copy is type-checked against its own driver and no generic bounds leak into `store/`.

mod sqlite;

use chrono::{DateTime, Utc};
use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Postgres, SqliteConnection, Transaction,
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Anything the database did that its caller did not ask about.
pub type Error = sqlx::Error;

/// How long a request waits for a connection before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same tables for both databases.
#[derive(Debug)]
pub struct Migrations {
    pub sqlite: Migrator,
    pub postgres: Migrator,
}

/// Whether waiting a little may help: every connection was in use for too long.
#[must_use]
pub fn is_busy(error: &Error) -> bool {
    matches!(error, Error::PoolTimedOut)
}

/// Whether [`Db::open`] would take this URL; `Err` says what one looks like.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    let known = ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
    if known { Ok(()) } else { Err("must be `sqlite:<path>` or `postgres://…`") }
}

#[derive(Clone, Debug)]
pub enum Db {
    Sqlite(sqlite::Database),
    Postgres(PgPool),
}

/// Why a database could not be opened, in words for the operator; never with the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0:?} is neither `sqlite:<path>` nor `postgres://…`")]
    Scheme(String),
    #[error("an in-memory SQLite database cannot be shared between connections; name a file")]
    Memory,
    #[error("cannot create the directory {0}: {1}")]
    Directory(PathBuf, std::io::Error),
    #[error("cannot lock {0}: {1}")]
    Lock(PathBuf, std::io::Error),
    #[error("cannot open the database: {0}")]
    Connect(#[from] Error),
    #[error("cannot migrate the database: {0}")]
    Migrate(#[from] MigrateError),
}

impl Db {
    /// Opens `sqlite:<path>` (made when missing) or `postgres://…`, and brings its tables up to date.
    ///
    /// Safe to call from several nodes at once: one migrates, the others wait.
    pub async fn open(url: &str, migrations: &Migrations) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.contains(":memory:") || path.contains('?') || path.is_empty() {
                return Err(OpenError::Memory);
            }
            let database = sqlite::Database::open(Path::new(path), &migrations.sqlite).await?;
            Ok(Self::Sqlite(database))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)?;
            // Once without the pool, which would only say that it timed out.
            options.connect().await?.close().await?;
            let pool = PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await?;
            migrations.postgres.run(&pool).await?; // under PostgreSQL's advisory lock
            Ok(Self::Postgres(pool))
        } else {
            let scheme = url.split(':').next().unwrap_or_default();
            Err(OpenError::Scheme(scheme.to_owned()))
        }
    }

    /// A connection for statements that only read. Each sees what was committed before it; none waits for a writer.
    pub async fn read(&self) -> Result<Conn, Error> {
        match self {
            Self::Sqlite(database) => database.read().await.map(Conn::SqliteReader),
            Self::Postgres(pool) => pool.acquire().await.map(Conn::PostgresPooled),
        }
    }

    /// Opens a transaction that may write. Dropping it rolls back.
    pub async fn write(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite(database) => database.begin().await.map(|tx| Tx(Conn::SqliteTx(tx))),
            Self::Postgres(pool) => pool.begin().await.map(|tx| Tx(Conn::PostgresTx(tx))),
        }
    }

    /// Counts the commits made through this value and its clones; `None` where other nodes commit, too.
    ///
    /// A commit is counted before it is acknowledged: what was read at one count is what a reader finds as
    /// long as the count stays.
    #[must_use]
    pub fn commits(&self) -> Option<u64> {
        match self {
            Self::Sqlite(database) => Some(database.commits()),
            Self::Postgres(_) => None,
        }
    }

    /// Runs statements that delete what expired before `$1`, at most `$2` rows at a time, each until it finds no
    /// more; in small transactions, so that nobody waits long behind them. Returns how many rows went.
    pub async fn sweep(&self, statements: &[&'static str], before: DateTime<Utc>) -> Result<u64, Error> {
        const BATCH: i64 = 500;
        let mut removed = 0;
        for statement in statements {
            loop {
                let mut tx = self.write().await?;
                let rows = on_conn!(&mut tx, |conn| {
                    let query = sqlx::query(*statement).bind(before).bind(BATCH);
                    query.execute(conn).await.map(|done| done.rows_affected())
                })?;
                tx.commit().await?;
                removed += rows;
                if rows == 0 {
                    break;
                }
            }
        }
        Ok(removed)
    }

    /// Whether a statement can be run now: what `/health/ready` asks.
    pub async fn ping(&self) -> Result<(), Error> {
        if let Self::Sqlite(database) = self {
            drop(database.begin().await?); // the one connection that writes, too
        }
        let mut conn = self.read().await?;
        on_conn!(&mut conn, |conn| sqlx::query("SELECT 1").execute(conn).await.map(drop))
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A connection of either kind; inside a [`Tx`] or not.
#[derive(Debug)]
pub enum Conn {
    SqliteReader(sqlite::Reader),
    SqliteTx(sqlite::Tx),
    PostgresPooled(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// What [`on_conn!`](crate::on_conn) matches on.
#[derive(Debug)]
pub enum Driver<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Conn {
    pub fn driver(&mut self) -> Driver<'_> {
        match self {
            Self::SqliteReader(reader) => Driver::Sqlite(reader.conn()),
            Self::SqliteTx(tx) => Driver::Sqlite(tx.conn()),
            Self::PostgresPooled(conn) => Driver::Postgres(conn),
            Self::PostgresTx(tx) => Driver::Postgres(tx),
        }
    }
}

/// An open transaction. It is a [`Conn`] too; what must not run outside of one asks for `&mut Tx`.
#[derive(Debug)]
pub struct Tx(Conn);

impl Tx {
    /// Returns when everything is durable.
    pub async fn commit(self) -> Result<(), Error> {
        match self.0 {
            Conn::SqliteTx(tx) => tx.commit().await,
            Conn::PostgresTx(tx) => tx.commit().await,
            Conn::SqliteReader(_) | Conn::PostgresPooled(_) => Ok(()),
        }
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// Runs `$body` with `$conn` bound to the driver's connection behind a [`Conn`] or [`Tx`].
#[macro_export]
macro_rules! on_conn {
    ($target:expr, |$conn:ident| $body:expr) => {
        match ($target).driver() {
            $crate::db::Driver::Sqlite($conn) => $body,
            $crate::db::Driver::Postgres($conn) => $body,
        }
    };
}
pub use on_conn;
