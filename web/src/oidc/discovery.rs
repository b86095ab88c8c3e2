//! What the provider says of itself (OpenID Connect Discovery 1.0), fetched when it is needed and kept.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AdditionalProviderMetadata, ClientId, ClientSecret, IssuerUrl, ProviderMetadata, RedirectUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use platform::{
    clock::Clock,
    jws::{self, Jwk},
    secret::{ExposeSecret, SecretString},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::{Client, Unavailable, http::Http};
use crate::config::Config;

/// How old metadata and keys may be before they are fetched again.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// No two fetches are closer to each other than this, whatever asks for them.
const PAUSE: TimeDelta = TimeDelta::seconds(2);

/// Metadata beyond OpenID Connect Discovery.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Additional {
    /// OpenID Connect RP-Initiated Logout 1.0 §2.1.
    end_session_endpoint: Option<Url>,
    /// RFC 9207 §3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Additional {}

type Metadata = ProviderMetadata<
    Additional,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is known of the provider.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(super) client: Client,
    /// What logout tokens are signed with.
    pub(super) keys: Vec<Jwk>,
    pub(super) end_session_endpoint: Option<Url>,
    /// Authorization responses without `iss` are refused (RFC 9207 §2.4).
    pub(super) iss_expected: bool,
}

/// The identity provider, and us as its client.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(super) http: Http,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: SecretString,
    redirect_uri: RedirectUrl,
    clock: Clock,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    discovered: Option<(Arc<Discovered>, DateTime<Utc>)>,
    failed: Option<(Unavailable, DateTime<Utc>)>,
}

impl Provider {
    /// Contacts nobody: the provider may start after us.
    pub(crate) fn new(config: &Config, client_secret: SecretString, clock: Clock) -> Result<Self, String> {
        let redirect_uri = format!("{}/callback", config.public_url);
        Ok(Self {
            http: Http::new(config.ca_file.as_deref())?,
            issuer: IssuerUrl::new(config.issuer.clone()).map_err(|error| format!("web.issuer: {error}"))?,
            client_id: ClientId::new(config.client_id.clone()),
            client_secret,
            redirect_uri: RedirectUrl::new(redirect_uri)
                .map_err(|error| format!("web.public_url: {error}"))?,
            clock,
            cache: Mutex::default(),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Metadata and keys, at most [`FRESH`] old; older ones when the provider does not answer.
    pub(crate) async fn discover(&self) -> Result<Arc<Discovered>, Unavailable> {
        self.newer_than(FRESH).await
    }

    /// Fetched anew, unless that was just done: for a signature by a key that we do not know.
    pub(super) async fn rediscover(&self) -> Result<Arc<Discovered>, Unavailable> {
        self.newer_than(PAUSE).await
    }

    async fn newer_than(&self, age: TimeDelta) -> Result<Arc<Discovered>, Unavailable> {
        let mut cache = self.cache.lock().await; // whoever waits here finds the answer in the cache
        let now = self.clock.now();
        let known = match &cache.discovered {
            Some((discovered, at)) if now < *at + age => return Ok(Arc::clone(discovered)),
            Some((discovered, _)) => Some(Arc::clone(discovered)),
            None => None,
        };
        let recent = cache.failed.as_ref().filter(|(_, at)| now < *at + PAUSE);
        let error = if let Some((error, _)) = recent {
            error.clone()
        } else {
            match self.fetch().await {
                Ok(discovered) => {
                    let discovered = Arc::new(discovered);
                    *cache = Cache { discovered: Some((Arc::clone(&discovered), now)), failed: None };
                    return Ok(discovered);
                }
                Err(error) => {
                    tracing::warn!(%error, "the identity provider's metadata could not be fetched");
                    cache.failed = Some((error.clone(), now));
                    error
                }
            }
        };
        known.ok_or(error)
    }

    async fn fetch(&self) -> Result<Discovered, Unavailable> {
        let discover = || Metadata::discover_async(self.issuer.clone(), &self.http);
        let metadata = match discover().await {
            Ok(metadata) => metadata,
            Err(_) => discover().await.map_err(|error| Unavailable::because("discovery", &error))?,
        };
        let additional = metadata.additional_metadata().clone();
        let keys = serde_json::to_value(metadata.jwks()).ok().and_then(|jwks| jws::keys(&jwks));
        let secret = ClientSecret::new(self.client_secret.expose_secret().to_owned());
        Ok(Discovered {
            client: Client::from_provider_metadata(metadata, self.client_id.clone(), Some(secret))
                .set_redirect_uri(self.redirect_uri.clone()),
            keys: keys.unwrap_or_default(),
            end_session_endpoint: additional.end_session_endpoint,
            iss_expected: additional.authorization_response_iss_parameter_supported,
        })
    }
}
