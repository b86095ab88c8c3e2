//! The issuer's keys: fetched over HTTP, shared by all requests, and never fetched twice at once.
//!
//! They are refreshed in the background before they go stale. When the issuer is down they serve on, for
//! at most [`MAX_STALE`]. A token with an unknown key makes us look again, at most every
//! [`LOOK_AGAIN`]: however many such tokens come, the issuer is not asked more often.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use axum::http::header;
use chrono::{DateTime, TimeDelta, Utc};
use platform::{clock::Clock, config::is_loopback, server::Shutdown, tls};
use reqwest::redirect;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::{bearer::KeySet, config::Config};

/// Keys that could not be refreshed for this long are not used any more.
const MAX_STALE: TimeDelta = TimeDelta::hours(24);
/// How long a set is fresh when the issuer does not say, and the bounds of what it may say.
const FRESH: i64 = 300;
const MIN_FRESH: i64 = 60;
const MAX_FRESH: i64 = 3600;
/// The least time between two fetches on account of unknown keys.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The pause after a fetch that failed: while there are no keys, and while there are old ones to serve on with.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_STALE: Duration = Duration::from_secs(10);
/// How often the background task looks whether a refresh is due.
const TICK: Duration = Duration::from_secs(1);

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// Whether keys or metadata may be fetched from there.
#[must_use]
pub(crate) fn may_fetch(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    })
}

#[derive(Debug)]
pub(crate) struct Jwks {
    issuer: String,
    /// Configured; found through the issuer's metadata otherwise.
    jwks_uri: Option<String>,
    http: reqwest::Client,
    clock: Clock,
    current: ArcSwapOption<Fetched>,
    attempts: Mutex<Attempts>,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    document: Vec<u8>,
    at: DateTime<Utc>,
    refresh_at: DateTime<Utc>,
}

/// Who holds its lock fetches; the others wait for the result.
#[derive(Debug, Default)]
struct Attempts {
    /// When a fetch failed, until one succeeds.
    failed: Option<Instant>,
    looked_again: Option<Instant>,
}

/// Why a fetch brought no keys, for the operator.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0} is neither https nor on this machine")]
    Address(String),
    #[error("{uri}: {error}")]
    Http { uri: String, error: reqwest::Error },
    #[error("{0} answered {1}")]
    Status(String, reqwest::StatusCode),
    #[error("{0} is larger than {MAX_DOCUMENT} bytes")]
    TooLarge(String),
    #[error("{0} cannot be read: {1}")]
    Document(String, serde_json::Error),
    #[error("the metadata at {0} is of another issuer")]
    OtherIssuer(String),
    #[error("{0} holds no signature key that can be used")]
    NoKeys(String),
}

impl Jwks {
    /// Starts fetching in the background; does not wait for it.
    pub(crate) fn start(config: &Config, clock: Clock, shutdown: &Shutdown) -> Result<Arc<Self>, String> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(FETCH_TIMEOUT)
            .user_agent(concat!("latchkey-api/", env!("CARGO_PKG_VERSION")));
        let http = tls::trusting(http, config.ca_file.as_deref())?;
        let http = http.build().map_err(|error| error.to_string())?;
        let jwks = Arc::new(Self {
            issuer: config.issuer.clone(),
            jwks_uri: config.jwks_uri.clone(),
            http,
            clock,
            current: ArcSwapOption::empty(),
            attempts: Mutex::default(),
        });
        let first = jwks.clone();
        let token = shutdown.token.clone();
        shutdown.tasks.spawn(async move { token.run_until_cancelled(first.refresh_if_due()).await });
        let refreshed = jwks.clone();
        shutdown.every(TICK, move || {
            let jwks = refreshed.clone();
            async move { jwks.refresh_if_due().await }
        });
        Ok(jwks)
    }

    /// The keys to check a token with. `None`: there are none yet, or they are older than [`MAX_STALE`].
    pub(crate) async fn keys(&self) -> Option<Arc<KeySet>> {
        if let Some(keys) = self.usable() {
            return Some(keys);
        }
        self.refresh_if_due().await;
        self.usable()
    }

    /// The keys after having looked whether the issuer has newer ones than `known`.
    pub(crate) async fn look_again(&self, known: &Arc<KeySet>) -> Arc<KeySet> {
        let mut attempts = self.attempts.lock().await;
        if let Some(keys) = self.usable().filter(|keys| !Arc::ptr_eq(keys, known)) {
            return keys; // somebody else fetched them while we waited
        }
        if attempts.looked_again.is_none_or(|last| last.elapsed() >= LOOK_AGAIN) {
            attempts.looked_again = Some(Instant::now());
            self.fetch(&mut attempts).await;
        }
        self.usable().unwrap_or_else(|| known.clone())
    }

    fn usable(&self) -> Option<Arc<KeySet>> {
        let fetched = self.current.load();
        let fetched = fetched.as_ref().filter(|fetched| self.clock.now() < fetched.at + MAX_STALE)?;
        Some(fetched.keys.clone())
    }

    fn is_due(&self) -> bool {
        self.current.load().as_ref().is_none_or(|fetched| fetched.refresh_at <= self.clock.now())
    }

    async fn refresh_if_due(&self) {
        if !self.is_due() {
            return;
        }
        let mut attempts = self.attempts.lock().await;
        let pause = if self.usable().is_some() { RETRY_STALE } else { RETRY };
        if self.is_due() && attempts.failed.is_none_or(|failed| failed.elapsed() >= pause) {
            self.fetch(&mut attempts).await;
        }
    }

    async fn fetch(&self, attempts: &mut Attempts) {
        match self.try_fetch().await {
            Ok(fetched) => {
                attempts.failed = None;
                let keys = &fetched.keys;
                tracing::debug!(?keys, "fetched the issuer's keys");
                self.current.store(Some(Arc::new(fetched)));
            }
            Err(error) => {
                attempts.failed = Some(Instant::now());
                tracing::warn!(issuer = self.issuer, "cannot fetch the issuer's keys: {error}");
            }
        }
    }

    async fn try_fetch(&self) -> Result<Fetched, FetchError> {
        let uri = match &self.jwks_uri {
            Some(uri) => uri.clone(),
            None => self.discover().await?,
        };
        let (document, max_age) = self.get(&uri).await?;
        // The same document keeps its key set, and with it the tokens that were checked.
        let current = self.current.load_full().filter(|current| current.document == document);
        let keys = match current {
            Some(current) => current.keys.clone(),
            None => {
                let keys =
                    KeySet::parse(&document).map_err(|error| FetchError::Document(uri.clone(), error))?;
                Arc::new(keys)
            }
        };
        if keys.is_empty() {
            return Err(FetchError::NoKeys(uri));
        }
        let at = self.clock.now();
        let fresh = max_age.unwrap_or(FRESH).clamp(MIN_FRESH, MAX_FRESH);
        // Before the set goes stale, not after.
        let refresh_at = at + TimeDelta::milliseconds(fresh * 800);
        Ok(Fetched { keys, document, at, refresh_at })
    }

    /// OpenID Connect Discovery §4, or else RFC 8414 §3.
    async fn discover(&self) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        let openid = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let (uri, found) = match self.get(&openid).await {
            Ok((document, _)) => (openid, document),
            Err(FetchError::Status(..)) => {
                let uri = authorization_server_metadata(&self.issuer);
                let (document, _) = self.get(&uri).await?;
                (uri, document)
            }
            Err(error) => return Err(error),
        };
        let metadata: Metadata =
            serde_json::from_slice(&found).map_err(|error| FetchError::Document(uri.clone(), error))?;
        if metadata.issuer != self.issuer {
            return Err(FetchError::OtherIssuer(uri));
        }
        Ok(metadata.jwks_uri)
    }

    /// A document, and for how many seconds it is fresh.
    async fn get(&self, uri: &str) -> Result<(Vec<u8>, Option<i64>), FetchError> {
        if !may_fetch(uri) {
            return Err(FetchError::Address(uri.to_owned()));
        }
        let failed = |error| FetchError::Http { uri: uri.to_owned(), error };
        let mut response = self.http.get(uri).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(uri.to_owned(), response.status()));
        }
        let max_age = response.headers().get(header::CACHE_CONTROL).and_then(|value| {
            let mut directives = value.to_str().ok()?.split(',').map(str::trim);
            directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok())
        });
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if document.len() + chunk.len() > MAX_DOCUMENT {
                return Err(FetchError::TooLarge(uri.to_owned()));
            }
            document.extend_from_slice(&chunk);
        }
        Ok((document, max_age))
    }
}

/// RFC 8414 §3.1: the well-known part goes between the host and the issuer's path.
fn authorization_server_metadata(issuer: &str) -> String {
    let origin = platform::config::origin(issuer);
    let path = issuer.strip_prefix(&origin).unwrap_or_default().trim_end_matches('/');
    format!("{origin}/.well-known/oauth-authorization-server{path}")
}
