//! OpenID Connect, as its relying party (authorization code flow, OpenID Connect Core 1.0 §3.1).

pub(crate) mod backchannel_logout;
pub(crate) mod callback;
mod discovery;
mod http;
mod id_token;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod refresh;

use openidconnect::{
    OAuth2TokenResponse,
    core::{CoreClient, CoreTokenResponse},
    {EndpointMaybeSet, EndpointNotSet, EndpointSet},
};
use platform::clock::Clock;

pub(crate) use discovery::Provider;
pub(crate) use id_token::Authentication;

/// A client that knows its provider's endpoints and keys.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The identity provider gave no usable answer; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unavailable(String);

impl Unavailable {
    /// With the causes, which the libraries keep out of their own texts.
    fn because(what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

/// When a response's access token ends: as it says, else after five minutes (`expires_in` is optional).
fn access_token_expires_at(response: &CoreTokenResponse, clock: &Clock) -> chrono::DateTime<chrono::Utc> {
    let lifetime = response.expires_in().unwrap_or(std::time::Duration::from_secs(300));
    clock.now() + chrono::TimeDelta::from_std(lifetime).unwrap_or(chrono::TimeDelta::minutes(5))
}
