//! From a bearer token (RFC 6750) to the caller: what every protected endpoint asks first.
//!
//! This module is the only one that names `jsonwebtoken` and `oxide_auth`.

mod access;
mod keys;
mod step_up;
mod token;

use std::sync::Arc;

use axum::http::{HeaderMap, header, request::Parts};
use oxide_auth::{
    code_grant::resource::{self, Input, Output, Resource},
    primitives::{grant::Grant, scope::Scope},
};

use platform::dpop;

use crate::{App, error::BearerError};

pub(crate) use access::{Access, Read, RequiredScope, Write};
pub(crate) use keys::KeySet;
pub(crate) use step_up::Demand;
use token::{Refusal, Verified};
pub(crate) use token::{Rules, is_asymmetric};

/// Who calls, by an access token that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `sub`: a user, or with client credentials the client itself.
    pub subject: String,
}

/// Checks the request's token and that it grants `scope`.
pub(crate) async fn authorize(app: &App, parts: &Parts, scope: &'static str) -> Result<Caller, BearerError> {
    let (scheme, token) = credentials(&parts.headers)?;
    let verified = verify(app, token).await?;
    check_possession(app, parts, scheme, token, &verified).await?;
    let grant = protect(token, scope, &verified)?;
    step_up::check(app, parts, &verified)?;
    Ok(Caller { subject: grant.owner_id })
}

/// How an access token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// RFC 6750 §2.1 and RFC 9449 §7.1, the only place that a token is taken from.
fn credentials(headers: &HeaderMap) -> Result<(Scheme, &str), BearerError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(BearerError::NoCredentials)?;
    if values.next().is_some() {
        return Err(BearerError::Malformed("more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| BearerError::Malformed("not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = match scheme {
        bearer if bearer.eq_ignore_ascii_case("Bearer") => Scheme::Bearer,
        dpop if dpop.eq_ignore_ascii_case("DPoP") => Scheme::Dpop,
        _ => return Err(BearerError::NoCredentials),
    };
    let token = token.trim_start_matches(' ');
    let b64token = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if b64token.is_empty() || !b64token.bytes().all(allowed) {
        return Err(BearerError::Malformed("not a b64token"));
    }
    Ok((scheme, token))
}

/// RFC 9449 §7.1: a token that is bound to a key is worth nothing without proof of the key, and none is taken
/// for bound that is not.
async fn check_possession(
    app: &App,
    parts: &Parts,
    scheme: Scheme,
    token: &str,
    verified: &Verified,
) -> Result<(), BearerError> {
    let jkt = match (scheme, &verified.jkt) {
        (Scheme::Bearer, None) => return Ok(()),
        (Scheme::Bearer, Some(_)) => {
            return Err(BearerError::InvalidToken("cnf: bound to a key, but sent as Bearer"));
        }
        (Scheme::Dpop, None) => {
            return Err(BearerError::InvalidToken("cnf: sent as DPoP, but not bound to a key"));
        }
        (Scheme::Dpop, Some(jkt)) => jkt,
    };
    let request = dpop::Request {
        method: parts.method.as_str(),
        url: &format!("{}{}", app.config.public_url, parts.uri.path()),
        access_token: Some(token),
        now: app.clock.now(),
    };
    let proof = dpop::read(&parts.headers, request).map_err(BearerError::InvalidDpopProof)?;
    let proof = proof.ok_or(BearerError::InvalidDpopProof("there is no proof"))?;
    if proof.jkt != *jkt {
        return Err(BearerError::InvalidToken("cnf: the proof is of another key"));
    }
    let mut tx = app.db.write().await?;
    let first = proof.remember(&mut tx).await?;
    tx.commit().await?;
    if first { Ok(()) } else { Err(BearerError::InvalidDpopProof("it was used before")) }
}

/// Checks the token with the issuer's keys; an unknown key makes them be fetched anew, within limits.
async fn verify(app: &App, token: &str) -> Result<Arc<Verified>, BearerError> {
    let keys = app.jwks.keys().await.ok_or(BearerError::NoKeys)?;
    let refusal = match keys.verify(token, &app.rules, app.clock.now()) {
        Ok(verified) => return Ok(verified),
        Err(Refusal::UnknownKey) => {
            let keys = app.jwks.look_again(&keys).await;
            match keys.verify(token, &app.rules, app.clock.now()) {
                Ok(verified) => return Ok(verified),
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    Err(BearerError::InvalidToken(refusal.rule()))
}

/// Runs oxide-auth's resource machine over a token that was checked already: it decides on the scope.
fn protect(token: &str, scope: &'static str, verified: &Verified) -> Result<Box<Grant>, BearerError> {
    let request = Bearer(format!("Bearer {token}"));
    let required: [Scope; 1] =
        [scope.parse().map_err(|_| BearerError::InvalidToken("the endpoint's scope cannot be read"))?];
    let mut machine = Resource::new();
    let mut input = Input::None;
    loop {
        input = match machine.advance(input) {
            Output::GetRequest => Input::Request { request: &request },
            Output::DetermineScopes => Input::Scopes(&required),
            Output::Recover { .. } => Input::Recovered(Some(verified.grant.clone())),
            Output::Ok(grant) => return Ok(grant),
            Output::Err(error) => return Err(refused(&error, scope)),
        };
    }
}

fn refused(error: &resource::Error, scope: &'static str) -> BearerError {
    match error {
        resource::Error::AccessDenied { failure, .. } => match failure.code {
            Some(resource::ErrorCode::InsufficientScope) => BearerError::InsufficientScope(scope),
            _ => BearerError::InvalidToken("denied by the resource machine"),
        },
        resource::Error::NoAuthentication { .. } => BearerError::NoCredentials,
        resource::Error::InvalidRequest { .. } => BearerError::Malformed("refused by the resource machine"),
        resource::Error::PrimitiveError => BearerError::InvalidToken("the resource machine failed"),
    }
}

/// The header as the machine wants it: the scheme in this spelling, one space.
struct Bearer(String);

impl resource::Request for Bearer {
    fn valid(&self) -> bool {
        true
    }

    fn token(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.0.as_str().into())
    }
}
