//! SQLite: one connection that writes, a pool that only reads, and commits in groups.
//!
//! A commit waits for the disk. Transactions that wait for the writer while another commits therefore
//! share one commit: each runs in a savepoint of an outer transaction, and whoever gets the writer back
//! first commits for all. [`Tx::commit`] returns only after that commit, so what was acknowledged is
//! durable; one transaction's failure undoes its savepoint and nothing else. The savepoint of a member that
//! has ended stays until the next one begins or the commit ends it: each statement is a trip to SQLite's
//! thread, and this saves one.

mod readers;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::{ACQUIRE_TIMEOUT, Error, OpenError};
pub use readers::Reader;
use readers::Readers;

/// How long one process waits for another (an operator's command) that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: usize = 8;

#[derive(Clone, Debug)]
pub struct Database {
    writer: Arc<Mutex<Writer>>,
    /// How many wait for the writer now.
    queue: Arc<AtomicUsize>,
    commits: Arc<AtomicU64>,
    readers: Readers,
}

#[derive(Debug)]
struct Writer {
    /// `None` once the database was closed.
    conn: Option<SqliteConnection>,
    /// The outer transaction, while it is open.
    batch: Option<Batch>,
    commits: Arc<AtomicU64>,
}

/// Transactions that will be committed together.
#[derive(Debug)]
struct Batch {
    /// How many of them have said "commit".
    members: usize,
    outcome: watch::Sender<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Pending,
    Committed,
    Failed,
}

impl Database {
    pub(super) async fn open(path: &Path, migrator: &Migrator) -> Result<Self, OpenError> {
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)
                .map_err(|error| OpenError::Directory(directory.to_owned(), error))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = {
            // sqlx takes no lock for SQLite: without this one, two starting processes would both migrate.
            let _lock = lock(path).await?;
            let mut writer = options.connect().await?;
            restrict(path)?;
            migrator.run(&mut writer).await?;
            writer
        };
        let readers = Readers::open(&options.create_if_missing(false).read_only(true), READERS).await?;
        let commits = Arc::<AtomicU64>::default();
        let writer = Writer { conn: Some(writer), batch: None, commits: commits.clone() };
        Ok(Self { writer: Arc::new(Mutex::new(writer)), queue: Arc::default(), commits, readers })
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    pub(super) async fn read(&self) -> Result<Reader, Error> {
        self.readers.acquire().await
    }

    pub(super) async fn begin(&self) -> Result<Tx, Error> {
        let guard = {
            let _queued = Queued::enter(&self.queue);
            tokio::time::timeout(ACQUIRE_TIMEOUT, self.writer.clone().lock_owned())
                .await
                .map_err(|_| Error::PoolTimedOut)?
        };
        if guard.conn.is_none() {
            return Err(Error::PoolClosed);
        }
        let mut tx = Tx { guard: Some(guard), opened: false, database: self.clone() };
        // A task of its own: a caller who goes away must not leave it unknown what the connection has done.
        let opened = tokio::spawn(async move { tx.open().await.map(|()| tx) });
        opened.await.unwrap_or(Err(Error::WorkerCrashed))
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        let mut writer = self.writer.lock().await;
        writer.finish().await;
        if let Some(conn) = writer.conn.take() {
            let _ = conn.close().await;
        }
    }
}

/// One place in the queue for the writer.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(queue: &'a AtomicUsize) -> Self {
        queue.fetch_add(1, Ordering::Relaxed);
        Self(queue)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Writer {
    async fn execute(&mut self, statement: &'static str) -> Result<(), Error> {
        let conn = self.conn.as_mut().ok_or(Error::PoolClosed)?;
        sqlx::query(statement).execute(conn).await.map(drop)
    }

    /// Ends the outer transaction, if one is open, and tells its members how.
    async fn finish(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        match self.execute("COMMIT").await {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Release);
                batch.outcome.send_replace(Outcome::Committed);
            }
            Err(error) => {
                tracing::error!(%error, "a commit failed: {} transactions are undone", batch.members);
                self.abandon(batch).await;
            }
        }
    }

    /// Undoes the outer transaction: its members are told that nothing of theirs was stored.
    async fn abandon(&mut self, batch: Batch) {
        // Fails when SQLite has rolled back by itself (disk full, I/O error): then there is nothing left to undo.
        let _ = self.execute("ROLLBACK").await;
        batch.outcome.send_replace(Outcome::Failed);
    }

    /// Undoes what the member wrote since it `opened` its savepoint, and keeps what the others wrote. Before
    /// that the open savepoint is another's, who may have been told to wait for the commit.
    async fn undo_member(&mut self, opened: bool) {
        let alone = self.batch.as_ref().is_none_or(|batch| batch.members == 0);
        let undone = if opened && !alone { self.execute("ROLLBACK TO member").await } else { Ok(()) };
        if (undone.is_err() || alone)
            && let Some(batch) = self.batch.take()
        {
            self.abandon(batch).await;
        }
    }
}

/// A savepoint of the outer transaction. Holds the writer.
#[derive(Debug)]
pub struct Tx {
    /// `None` only after the end.
    guard: Option<OwnedMutexGuard<Writer>>,
    /// The open savepoint is this one's.
    opened: bool,
    database: Database,
}

impl Tx {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        self.guard.as_deref_mut().ok_or(Error::PoolClosed)
    }

    #[expect(
        clippy::expect_used,
        reason = "only `commit` and `drop` empty the guard, and both end the transaction"
    )]
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        self.guard
            .as_deref_mut()
            .and_then(|writer| writer.conn.as_mut())
            .expect("an open transaction holds the connection")
    }

    async fn open(&mut self) -> Result<(), Error> {
        let writer = self.writer()?;
        if writer.batch.is_some() {
            writer.execute("RELEASE member; SAVEPOINT member").await?;
        } else {
            // Before the statement: if that fails half way, dropping this rolls back whatever there is.
            writer.batch = Some(Batch { members: 0, outcome: watch::Sender::new(Outcome::Pending) });
            writer.execute("BEGIN IMMEDIATE; SAVEPOINT member").await?;
        }
        self.opened = true;
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        // A task of its own, for the same reason as in `begin`.
        tokio::spawn(self.release()).await.unwrap_or(Err(Error::WorkerCrashed))
    }

    async fn release(mut self) -> Result<(), Error> {
        let alone = self.database.queue.load(Ordering::Relaxed) == 0;
        let batch = self.writer()?.batch.as_mut().ok_or(Error::PoolClosed)?;
        batch.members += 1;
        let outcome = batch.outcome.subscribe();
        let guard = self.guard.take();
        if alone {
            if let Some(mut writer) = guard {
                writer.finish().await;
            }
        } else {
            drop(guard); // the next in the queue may join the batch
            commit_after_the_queue(self.database.writer.clone(), outcome.clone()).await;
        }
        let committed = *outcome.borrow() == Outcome::Committed;
        if committed { Ok(()) } else { Err(Error::Io(std::io::Error::other("the commit failed"))) }
    }
}

/// The mutex is fair: those who were already waiting write first, and the first of the batch to come back
/// commits for all.
async fn commit_after_the_queue(writer: Arc<Mutex<Writer>>, mut outcome: watch::Receiver<Outcome>) {
    let ended = async { outcome.wait_for(|outcome| *outcome != Outcome::Pending).await.map(drop) };
    let mut writer = tokio::select! {
        biased;
        _ = ended => return,
        writer = writer.lock() => writer,
    };
    if *outcome.borrow() == Outcome::Pending {
        writer.finish().await;
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let opened = self.opened;
            runtime.spawn(async move { guard.undo_member(opened).await });
        }
    }
}

/// An exclusive lock beside the database file, for as long as the value lives.
async fn lock(database: &Path) -> Result<std::fs::File, OpenError> {
    let path = beside(database, ".lock");
    let lock = {
        let path = path.clone();
        move || {
            let file = std::fs::File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock().map(|()| file)
        }
    };
    tokio::task::spawn_blocking(lock)
        .await
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(|error| OpenError::Lock(path, error))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Only the owner may read the database. SQLite gives its journal files the same mode.
fn restrict(path: &Path) -> Result<(), OpenError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| OpenError::Directory(path.to_owned(), error))?;
    }
    Ok(())
}
