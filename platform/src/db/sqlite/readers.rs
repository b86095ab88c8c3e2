//! Connections that only read, handed out one at a time.
//!
//! Not sqlx's pool: that one pings every connection when it comes back, which for SQLite is a second trip
//! to the connection's thread for each statement, to ask a local file whether it is still there.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::{ACQUIRE_TIMEOUT, Error};

#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    idle: Mutex<Vec<SqliteConnection>>,
    /// As many as there are connections in `idle`, or will be once those that are out come back.
    available: Arc<Semaphore>,
}

/// A connection that goes back when it is dropped.
#[derive(Debug)]
pub struct Reader {
    /// `None` only while it goes back.
    conn: Option<SqliteConnection>,
    home: Readers,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) async fn open(options: &SqliteConnectOptions, count: usize) -> Result<Self, Error> {
        let mut idle = Vec::with_capacity(count);
        for _ in 0..count {
            idle.push(options.connect().await?);
        }
        Ok(Self(Arc::new(Shared { idle: Mutex::new(idle), available: Arc::new(Semaphore::new(count)) })))
    }

    pub(super) async fn acquire(&self) -> Result<Reader, Error> {
        let waiting = self.0.available.clone().acquire_owned();
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, waiting)
            .await
            .map_err(|_| Error::PoolTimedOut)?
            .map_err(|_| Error::PoolClosed)?;
        let conn = self.idle().pop();
        Ok(Reader { conn: Some(conn.ok_or(Error::PoolClosed)?), home: self.clone(), _permit: permit })
    }

    /// Those that are out are closed when they are dropped with the last clone of `self`.
    pub(super) async fn close(&self) {
        self.0.available.close();
        let idle = std::mem::take(&mut *self.idle());
        for conn in idle {
            let _ = conn.close().await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        self.conn.as_mut().expect("a reader holds its connection until it is dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Before the permit, which is a field and so is dropped after this.
        self.home.idle().extend(self.conn.take());
    }
}
