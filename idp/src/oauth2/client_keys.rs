//! Keys of clients that publish them at a `jwks_uri` (RFC 7591 §2), kept for a while.
//!
//! Who asks first fetches, the others wait for the same answer. A `kid` that is not known makes us look again, but
//! not more often than every [`PAUSE`]: whoever sends assertions cannot make us send requests. When the client's
//! server is down, what it said last holds for [`SERVE_ON`].

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use moka::future::Cache;
use platform::{clock::Clock, jws};
use tokio::sync::Mutex;

use super::client_assertion;
use crate::outbound::Outbound;

/// How old keys may be before they are fetched again.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// From the end of one fetch to the next.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// How old keys may be that cannot be fetched again.
const SERVE_ON: TimeDelta = TimeDelta::hours(1);
/// How many clients' keys are kept.
const CAPACITY: u64 = 1000;

#[derive(Debug)]
pub struct ClientKeys {
    outbound: Outbound,
    clock: Clock,
    known: Cache<String, Arc<Known>>,
}

/// Keys, and when they were fetched.
type Fetched = (Arc<[Jwk]>, DateTime<Utc>);

/// What is known of one address.
#[derive(Debug, Default)]
struct Known {
    keys: RwLock<Option<Fetched>>,
    /// When we asked last. Held while we ask: those whose keys are known do not wait for it.
    asked: Mutex<Option<DateTime<Utc>>>,
}

impl Known {
    fn fetched_after(&self, time: DateTime<Utc>) -> Option<Arc<[Jwk]>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.as_ref().filter(|(_, at)| *at > time).map(|(keys, _)| keys.clone())
    }
}

impl ClientKeys {
    #[must_use]
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(CAPACITY).time_to_idle(Duration::from_secs(3600)).build();
        Self { outbound, clock, known }
    }

    /// The keys at `uri`, newer ones if they lack `kid`. `Err` says why there are none.
    pub async fn find(&self, uri: &str, kid: Option<&str>) -> Result<Arc<[Jwk]>, &'static str> {
        let known = self.known.get_with(uri.to_owned(), async { Arc::default() }).await;
        let now = self.clock.now();
        let fresh = || {
            let has = |keys: &Arc<[Jwk]>| {
                kid.is_none_or(|kid| keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid)))
            };
            known.fetched_after(now - FRESH).filter(has)
        };
        if let Some(keys) = fresh() {
            return Ok(keys);
        }
        let mut asked = known.asked.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(keys) = fresh() {
            return Ok(keys);
        }
        if asked.is_none_or(|asked| asked + PAUSE <= now) {
            self.fetch(uri, &known).await;
            *asked = Some(self.clock.now());
        }
        known.fetched_after(now - SERVE_ON).ok_or("the client's keys cannot be fetched")
    }

    async fn fetch(&self, uri: &str, known: &Known) {
        match self.outbound.get(uri).await {
            Ok(document) => {
                let keys = read(&document);
                if keys.is_none() {
                    tracing::warn!(uri, "what a client has at its jwks_uri is no set of public keys");
                }
                let now = self.clock.now();
                let mut known = known.keys.write().unwrap_or_else(PoisonError::into_inner);
                *known = keys.map(|keys| (keys, now));
            }
            Err(error) => tracing::warn!(uri, %error, "a client's keys could not be fetched"),
        }
    }
}

fn read(document: &[u8]) -> Option<Arc<[Jwk]>> {
    let jwks = serde_json::from_slice(document).ok()?;
    if client_assertion::refuse_registration(&jwks).is_some() {
        return None;
    }
    jws::keys(&jwks).map(Arc::from)
}
