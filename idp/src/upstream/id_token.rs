//! ID tokens of other providers, OpenID Connect Core §3.1.3.7.

use chrono::{DateTime, TimeDelta, Utc};
use platform::jws::{self, Jws, NumericDate};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Failure, Provider, metadata::Metadata};
use crate::{App, oauth2::access_token::Audience, store::upstream_sign_ins::UpstreamSignIn};

/// How far the provider's clock may be from ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// Core §2.
const MAX_SUB: usize = 255;

#[derive(Debug, Deserialize)]
pub struct Claims {
    iss: String,
    pub sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: NumericDate,
    iat: NumericDate,
    nonce: Option<String>,
    auth_time: Option<NumericDate>,
    /// All others.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Claims {
    /// When the person proved who they are, if that was before they were sent to the provider for this log-in.
    pub fn auth_time_before(&self, sign_in: &UpstreamSignIn) -> Option<DateTime<Utc>> {
        let auth_time = self.auth_time.as_ref().and_then(NumericDate::time);
        auth_time.filter(|auth_time| *auth_time + LEEWAY < sign_in.created_at)
    }
}

/// What the token says, if the provider has signed it now, for us, for this log-in.
pub async fn verify(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    token: &str,
    sign_in: &UpstreamSignIn,
) -> Result<Claims, Failure> {
    let jws = Jws::parse(token).map_err(Failure::Broken)?;
    // RFC 8725 §3.11: nothing that was signed for another purpose.
    if jws.header.typ.as_deref().is_some_and(|typ| jws::media_type(typ) != "jwt") {
        return Err(Failure::Broken("the ID token's typ is another"));
    }
    let keys = app.published_keys.find(&metadata.jwks_uri, jws.header.kid.as_deref()).await;
    let keys = keys.map_err(|reason| Failure::Unavailable(reason.to_owned()))?;
    let claims: Claims = jws.verify(&keys).map_err(Failure::Broken)?;
    judge(&claims, provider, &sign_in.nonce, app.clock.now()).map_err(Failure::Broken)?;
    if sign_in.max_age.is_some_and(|max_age| !is_recent(&claims, max_age, sign_in, app.clock.now())) {
        return Err(Failure::NotAgain);
    }
    Ok(claims)
}

fn judge(claims: &Claims, provider: &Provider, nonce: &str, now: DateTime<Utc>) -> Result<(), &'static str> {
    let (issuer, client_id) = (provider.settings.issuer(), &provider.settings.client_id);
    if claims.iss != issuer {
        return Err("the ID token is another issuer's");
    }
    if !claims.aud.has(client_id) {
        return Err("the ID token is for another client");
    }
    // What is for several says for whom it was made.
    if claims.azp.as_ref().map_or(!claims.aud.is_only(client_id), |azp| azp != client_id) {
        return Err("the ID token was made for another client");
    }
    if claims.exp.time().is_none_or(|exp| exp <= now) {
        return Err("the ID token has expired");
    }
    if claims.iat.time().is_none_or(|iat| iat > now + LEEWAY) {
        return Err("the ID token is of the future");
    }
    if claims.nonce.as_deref() != Some(nonce) {
        return Err("the ID token's nonce is another log-in's");
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUB || claims.sub.contains(char::is_control) {
        return Err("the ID token's sub is none");
    }
    Ok(())
}

/// Core §3.1.2.1: whether the person proved who they are as lately as was asked for. At 0 seconds: for this log-in.
fn is_recent(claims: &Claims, max_age: i64, sign_in: &UpstreamSignIn, now: DateTime<Utc>) -> bool {
    let since = match max_age {
        0 => sign_in.created_at,
        seconds => now - TimeDelta::seconds(seconds),
    };
    let auth_time = claims.auth_time.as_ref().and_then(NumericDate::time);
    auth_time.is_some_and(|auth_time| auth_time + LEEWAY >= since)
}
