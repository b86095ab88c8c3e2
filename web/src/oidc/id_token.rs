//! ID Token validation, OpenID Connect Core 1.0 §3.1.3.7 and §3.1.3.8.

use openidconnect::{
    AccessTokenHash, ClaimsVerificationError, NonceVerifier, OAuth2TokenResponse, SignatureVerificationError,
    TokenResponse,
    core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreTokenResponse},
};

use chrono::{DateTime, Utc};
use platform::jws::{self, NumericDate};
use serde::Deserialize;

use super::{Unavailable, discovery::Discovered};
use crate::{App, error::PageError};

/// ID tokens are signed with a private key; never with our secret, and never not at all.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why an ID token is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is no ID token")]
    Missing,
    #[error("the ID token is not good: {0}")]
    Claims(#[from] ClaimsVerificationError),
    #[error(transparent)]
    Provider(#[from] Unavailable),
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::Login("there is no ID token"),
            Refusal::Claims(error) => {
                tracing::warn!(%error, "refused an ID token");
                Self::Login("the ID token is not good")
            }
            Refusal::Provider(error) => error.into(),
        }
    }
}

/// The ID token of a response as received, and its subject.
pub(super) async fn check<N: NonceVerifier + Copy>(
    app: &App,
    provider: &Discovered,
    response: &CoreTokenResponse,
    nonce: N,
) -> Result<(String, String), Refusal> {
    let id_token = response.id_token().ok_or(Refusal::Missing)?;
    let subject = match verify(app, provider, response, id_token, nonce) {
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            let provider = app.provider.rediscover().await?; // signed with a key newer than our copy
            verify(app, &provider, response, id_token, nonce)
        }
        verified => verified,
    };
    Ok((id_token.to_string(), subject?))
}

/// What an ID token that was checked says of the log-in.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Authentication {
    /// What the provider calls the session (Back-Channel Logout 1.0 §2.1).
    pub(super) sid: Option<String>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
}

impl Authentication {
    pub(crate) fn of(id_token: &str) -> Self {
        jws::claimed(id_token).unwrap_or_default()
    }

    /// Whether the person proved who they are within `max_age` seconds before `time`, in one of the ways of
    /// `acr_values`. What is not demanded is met.
    pub(crate) fn meets(&self, max_age: Option<i64>, acr_values: Option<&str>, time: DateTime<Utc>) -> bool {
        let auth_time = self.auth_time.as_ref().and_then(NumericDate::time);
        // auth_time is in whole seconds.
        let recent = |max_age: i64| auth_time.is_some_and(|at| at.timestamp() + max_age >= time.timestamp());
        let of_a_kind = |values: &str| {
            self.acr.as_ref().is_some_and(|acr| values.split_ascii_whitespace().any(|value| value == acr))
        };
        max_age.is_none_or(recent) && acr_values.is_none_or(of_a_kind)
    }
}

fn verify(
    app: &App,
    provider: &Discovered,
    response: &CoreTokenResponse,
    id_token: &CoreIdToken,
    nonce: impl NonceVerifier,
) -> Result<String, ClaimsVerificationError> {
    let clock = app.clock.clone();
    let verifier: CoreIdTokenVerifier<'_> =
        provider.client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || clock.now());
    let claims: &CoreIdTokenClaims = id_token.claims(&verifier, nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let alg = id_token.signing_alg().map_err(ClaimsVerificationError::SignatureVerification)?;
        let key = id_token.signing_key(&verifier).map_err(ClaimsVerificationError::SignatureVerification)?;
        let actual = AccessTokenHash::from_token(response.access_token(), alg, key)
            .map_err(|error| ClaimsVerificationError::Other(error.to_string()))?;
        if actual != *expected {
            return Err(ClaimsVerificationError::Other("at_hash is of another access token".into()));
        }
    }
    Ok(claims.subject().to_string())
}
