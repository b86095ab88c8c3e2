//! Clients that nobody has registered: their id is the https address of a document that describes them (OAuth
//! Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document).
//!
//! A document that was fetched becomes a registration like any other, until it is fetched again. Anybody can name
//! an address: few are asked at once, new ones not without end from one network, none that has just failed, and
//! what nobody used is swept.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use platform::{clock::Clock, db::Db};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use super::{Error, NotNow, turns::Turns};
use crate::{
    Config,
    account::throttle,
    oauth2::register::{self, Purpose},
    outbound::{self, Outbound},
    store::{self, ClientId, client_metadata_documents, clients, clients::Client, consents},
};

/// How old a document may be before it is fetched again.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// How old it may be when it cannot be.
const SERVE_ON: TimeDelta = TimeDelta::hours(24);
/// How long an address that gave no document is not asked again.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

#[derive(Debug)]
pub struct Documents {
    db: Db,
    clock: Clock,
    outbound: Outbound,
    config: Config,
    /// Since when an address has given none. Who holds its lock asks.
    failed: Cache<ClientId, Arc<Mutex<Option<DateTime<Utc>>>>>,
    turns: Turns,
}

/// Whether an id is the address of a document: https, with a path, and written as every reader would write it.
#[must_use]
pub fn is_address(id: &str) -> bool {
    let fits = |url: &Url| {
        url.scheme() == "https" && url.as_str() == id && url.path() != "/" && url.query().is_none()
    };
    outbound::refuse_registration(id).is_none() && Url::parse(id).is_ok_and(|url| fits(&url))
}

fn host(id: &ClientId) -> Option<String> {
    Url::parse(&id.0).ok()?.host_str().map(str::to_owned)
}

/// What is stored under an address.
enum Stored {
    Nothing,
    /// Nothing is fetched: its document is fresh, or an operator has said what the client is, or disabled it.
    Settled(Option<Client>),
    /// A client whose document may be another by now.
    Aged(Client, DateTime<Utc>),
}

impl Documents {
    #[must_use]
    pub fn new(db: Db, clock: Clock, outbound: Outbound, config: Config) -> Self {
        let failed = Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(3600)).build();
        Self { db, clock, outbound, config, failed, turns: Turns::default() }
    }

    /// The client behind an address, as its document has it now.
    pub async fn current(&self, id: &ClientId) -> Result<Option<Client>, Error> {
        if let Stored::Settled(client) = self.stored(id).await? {
            return Ok(client);
        }
        let failed = self.failed.get_with(id.clone(), async { Arc::default() }).await;
        let mut failed = failed.lock().await; // whoever waits here finds what the first one fetched
        let (known, fetched_at) = match self.stored(id).await? {
            Stored::Settled(client) => return Ok(client),
            Stored::Aged(client, fetched_at) => (Some(client), Some(fetched_at)),
            Stored::Nothing => (None, None),
        };
        let now = self.clock.now();
        let served_on =
            |known: Option<Client>| known.filter(|_| fetched_at.is_some_and(|at| at + SERVE_ON > now));
        if failed.is_some_and(|at| at + PAUSE > now) {
            return Ok(served_on(known));
        }
        let Some(_turn) = host(id).and_then(|host| self.turns.take(&host)) else {
            // It has not failed: whoever comes next may ask it.
            return served_on(known).map(Some).ok_or(NotNow::Busy.into());
        };
        if known.is_none() {
            let counted = throttle::metadata_document(&self.db, &self.config.throttle, now).await?;
            counted.map_err(NotNow::Throttled)?;
        }
        match self.fetch(id).await {
            Ok(client) => {
                *failed = None;
                Ok(self.keep(client, known.as_ref()).await?)
            }
            Err(reason) => {
                tracing::info!(client.id = %id, reason, "there is no client at {id}");
                *failed = Some(self.clock.now());
                Ok(served_on(known))
            }
        }
    }

    async fn stored(&self, id: &ClientId) -> Result<Stored, store::Error> {
        let mut conn = self.db.read().await?;
        let fetched_at = client_metadata_documents::find(&mut conn, id).await?;
        Ok(match (clients::find_live(&mut conn, id).await?, fetched_at) {
            (Some(client), Some(fetched_at))
                if !client.declared && fetched_at + FRESH <= self.clock.now() =>
            {
                Stored::Aged(client, fetched_at)
            }
            (None, _) if !clients::is_disabled(&mut conn, id).await? => Stored::Nothing,
            (client, _) => Stored::Settled(client),
        })
    }

    async fn fetch(&self, id: &ClientId) -> Result<Client, String> {
        let document = self.outbound.get(&id.0).await.map_err(|error| error.to_string())?;
        let mut document: Map<String, Value> =
            serde_json::from_slice(&document).map_err(|_| "it is no JSON object")?;
        // Or anybody who can place a file somewhere would speak for another.
        if document.remove("client_id").as_ref().and_then(Value::as_str) != Some(id.0.as_str()) {
            return Err("its client_id is another".to_owned());
        }
        // What everybody can read holds no secret: such a client has a key, or nothing.
        let has_secret = document.contains_key("client_secret");
        let method = document.entry("token_endpoint_auth_method").or_insert_with(|| "none".into());
        if has_secret || !["none", "private_key_jwt"].map(Value::from).contains(method) {
            return Err("it wants to authenticate with a secret".to_owned());
        }
        let described = register::describe(&self.config, &id.0, document, Purpose::People);
        described.map(|described| described.client).map_err(|error| error.to_string())
    }

    /// The client as it is from now on: what an operator has said of it in the meantime holds.
    async fn keep(&self, client: Client, known: Option<&Client>) -> Result<Option<Client>, store::Error> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if known.is_some_and(|known| client.looks_different(known)) {
            consents::delete_all(&mut tx, &client.id).await?;
        }
        let kept = match known {
            Some(_) => clients::replace(&mut tx, &client, now).await?,
            None => clients::put(&mut tx, &client, now).await?,
        };
        let stored = clients::find_live(&mut tx, &client.id).await?;
        if kept && stored.is_some() {
            client_metadata_documents::put(&mut tx, &client.id, now).await?;
            tx.commit().await?;
        }
        Ok(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_one_spelling_is_an_address() {
        for good in
            ["https://app.example/client.json", "https://app.example:8443/a/b", "https://app.example/a+b"]
        {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "app",
            "http://localhost/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example/a?b",
            "https://app.example/a#b",
            "https://u@app.example/a",
            "https://app.example/a/../b",
            "https://app.example/./a",
            "https://app.example/%2e%2e/a",
            "https://APP.example/a",
            "https://app.example:443/a",
            "HTTPS://app.example/a",
            "https:app.example/a",
            "https://app.example\\a",
            "https://app.example/a b",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
