//! Keys that others publish at a `jwks_uri`, kept for a while: clients (RFC 7591 §2), and the providers that people
//! come from (OpenID Connect Discovery §3).

use std::{sync::Arc, time::Duration};

use jsonwebtoken::jwk::Jwk;
use moka::future::Cache;
use platform::{clock::Clock, jws};

use super::client_assertion;
use crate::outbound::{
    Outbound,
    kept::{Answer, Kept},
};

/// How many addresses' keys are kept.
const CAPACITY: u64 = 1000;

#[derive(Debug)]
pub struct PublishedKeys {
    outbound: Outbound,
    clock: Clock,
    known: Cache<String, Arc<Kept<Arc<[Jwk]>>>>,
}

impl PublishedKeys {
    #[must_use]
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(CAPACITY).time_to_idle(Duration::from_secs(3600)).build();
        Self { outbound, clock, known }
    }

    /// The keys at `uri`, newer ones if they lack `kid`. `Err` says why there are none.
    pub async fn find(&self, uri: &str, kid: Option<&str>) -> Result<Arc<[Jwk]>, &'static str> {
        let known = self.known.get_with(uri.to_owned(), async { Arc::default() }).await;
        let has = |keys: &Arc<[Jwk]>| {
            kid.is_none_or(|kid| keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid)))
        };
        known
            .find(&self.clock, has, self.fetch(uri))
            .await
            .ok_or("the keys at the jwks_uri cannot be fetched")
    }

    async fn fetch(&self, uri: &str) -> Answer<Arc<[Jwk]>> {
        match self.outbound.get(uri).await {
            Ok(document) => read(&document).map(Answer::Value).unwrap_or_else(|| {
                tracing::warn!(uri, "what is at a jwks_uri is no set of public keys");
                Answer::Nothing
            }),
            Err(error) => {
                tracing::warn!(uri, %error, "the keys at a jwks_uri could not be fetched");
                Answer::Silence
            }
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
