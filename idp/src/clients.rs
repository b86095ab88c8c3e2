//! Registered clients, as the endpoints ask for them: through a cache that is at most a second old.
//!
//! What a client holds (codes, refresh tokens, sessions) is judged in the database by `live_grants`; the
//! cache only spares reading a registration again for every request.

mod documents;
mod turns;

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderValue, StatusCode};
use moka::future::Cache;
use platform::db::Db;

pub use documents::Documents;

use crate::{
    account::throttle::Wait,
    store::{self, ClientId, clients, clients::Client},
};

const FRESH: Duration = Duration::from_secs(1);
const CAPACITY: u64 = 10_000;

/// Why a client has to wait for its answer: its document cannot be fetched now, or too much was asked for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum NotNow {
    #[error("too many documents of clients are being fetched")]
    Busy,
    #[error("too much was asked for from one network: clients that nobody knew, or codes for devices")]
    Throttled(Wait),
}

impl NotNow {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    pub fn retry_after(self) -> HeaderValue {
        match self {
            Self::Busy => HeaderValue::from_static("5"), // what hangs has been given up by then
            Self::Throttled(wait) => wait.retry_after(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotNow(#[from] NotNow),
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[derive(Clone, Debug)]
pub struct Clients {
    db: Db,
    /// Of clients that nobody has registered, if they are let in.
    documents: Option<Arc<Documents>>,
    cache: Cache<ClientId, Arc<Client>>,
}

impl Clients {
    #[must_use]
    pub fn new(db: Db, documents: Option<Documents>) -> Self {
        let documents = documents.map(Arc::new);
        Self { db, documents, cache: Cache::builder().max_capacity(CAPACITY).time_to_live(FRESH).build() }
    }

    /// A client that is registered and not disabled.
    pub async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, Error> {
        // None other can be registered, and PostgreSQL refuses to look for some.
        if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(None);
        }
        let id = ClientId(id.to_owned());
        if let Some(client) = self.cache.get(&id).await {
            return Ok(Some(client));
        }
        let found = match &self.documents {
            Some(documents) if documents::is_address(&id.0) => documents.current(&id).await?,
            _ => clients::find_live(&mut self.db.read().await?, &id).await?,
        };
        let Some(client) = found else { return Ok(None) };
        let client = Arc::new(client);
        self.cache.insert(id, client.clone()).await;
        Ok(Some(client))
    }
}
