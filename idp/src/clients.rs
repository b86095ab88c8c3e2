//! Registered clients, as the endpoints ask for them: through a cache that is at most a second old.
//!
//! What a client holds (codes, refresh tokens, sessions) is judged in the database by `live_grants`; the
//! cache only spares reading a registration again for every request.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use platform::db::Db;

use crate::store::{ClientId, Error, clients, clients::Client};

const FRESH: Duration = Duration::from_secs(1);
const CAPACITY: u64 = 10_000;

#[derive(Clone, Debug)]
pub struct Clients {
    db: Db,
    cache: Cache<ClientId, Arc<Client>>,
}

impl Clients {
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, cache: Cache::builder().max_capacity(CAPACITY).time_to_live(FRESH).build() }
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
        let mut conn = self.db.read().await?;
        let Some(client) = clients::find_live(&mut conn, &id).await? else { return Ok(None) };
        let client = Arc::new(client);
        self.cache.insert(id, client.clone()).await;
        Ok(Some(client))
    }
}
