//! Writing refusals down, behind the answers.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use platform::{address, clock::Clock, db::Db, http, server::Shutdown};
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::store::{self, ClientId, UserId, refusals, refusals::Refusal};

/// How many wait to be written.
const QUEUE: usize = 512;
/// How many are written at once, and how long the next ones wait.
const BATCH: usize = 64;
const PAUSE: Duration = Duration::from_millis(100);
/// How many are written in a minute, so that nobody fills the disk; and of one network, so that nobody hides others'.
const MINUTE: Duration = Duration::from_secs(60);
const PER_MINUTE: usize = 300;
const PER_NETWORK: usize = 30;

/// Where refused requests are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Refusals {
    queue: mpsc::Sender<(IpAddr, Refusal)>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
    keep: TimeDelta,
}

impl Refusals {
    /// Starts writing. `keep`: how long each is kept; for no time, none is written.
    pub fn start(db: Db, clock: Clock, keep: TimeDelta, shutdown: &Shutdown) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let token = shutdown.token.clone();
        let counted = dropped.clone();
        shutdown.tasks.spawn(async move {
            let mut writer = Writer { db, waiting, shares: Shares::default(), dropped: counted };
            while let Some(batch) = token.run_until_cancelled(writer.next()).await.flatten() {
                writer.write(batch).await;
                token.run_until_cancelled(sleep(PAUSE)).await;
            }
            // What waits when the process is told to stop is written; what comes later is not.
            writer.waiting.close();
            while let Some(batch) = writer.next().await {
                writer.write(batch).await;
            }
        });
        Self { queue, dropped, clock, keep }
    }

    pub(super) fn queue(
        &self,
        route: &str,
        error: &str,
        rule: String,
        client_id: Option<ClientId>,
        user_id: Option<UserId>,
        inputs: Map<String, Value>,
    ) {
        if self.keep.is_zero() {
            return;
        }
        let (call, at) = (http::current(), self.clock.now());
        let refusal = Refusal {
            request_id: call.id,
            at,
            route: route.to_owned(),
            error: error.to_owned(),
            rule,
            client_id,
            user_id,
            address: call.client.to_string(),
            inputs: Value::Object(inputs).to_string(),
            expires_at: at + self.keep,
        };
        if self.queue.try_send((call.client, refusal)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writer {
    db: Db,
    waiting: mpsc::Receiver<(IpAddr, Refusal)>,
    shares: Shares,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Waits for some; `None` when no more will come.
    async fn next(&mut self) -> Option<Vec<(IpAddr, Refusal)>> {
        let mut batch = Vec::with_capacity(BATCH);
        let received = self.waiting.recv_many(&mut batch, BATCH).await;
        (received > 0).then_some(batch)
    }

    async fn write(&mut self, mut batch: Vec<(IpAddr, Refusal)>) {
        if self.shares.began.elapsed() > MINUTE {
            self.shares = Shares::default();
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!(dropped, "{dropped} refusals cannot be explained: there were too many");
            }
        }
        batch.retain(|(client, _)| {
            let fits = self.shares.take(*client);
            if !fits {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            fits
        });
        if let Err(error) = insert(&self.db, &batch).await {
            tracing::error!(%error, "{} refusals could not be written", batch.len());
        }
    }
}

async fn insert(db: &Db, batch: &[(IpAddr, Refusal)]) -> Result<(), store::Error> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut tx = db.write().await?;
    for (_, refusal) in batch {
        refusals::insert(&mut tx, refusal).await?;
    }
    tx.commit().await
}

/// What was written in this minute.
struct Shares {
    began: Instant,
    all: usize,
    networks: HashMap<String, usize>,
}

impl Default for Shares {
    fn default() -> Self {
        Self { began: Instant::now(), all: 0, networks: HashMap::new() }
    }
}

impl Shares {
    /// Whether one more of this address may be written.
    fn take(&mut self, client: IpAddr) -> bool {
        if self.all == PER_MINUTE {
            return false;
        }
        let network = self.networks.entry(address::network(client)).or_default();
        if *network == PER_NETWORK {
            return false;
        }
        *network += 1;
        self.all += 1;
        true
    }
}
