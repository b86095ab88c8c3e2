//! Token Endpoint, RFC 6749 §3.2.

mod authorization_code;
mod client_credentials;
mod device_code;
mod refresh_token;
mod token_exchange;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::AppendHeaders,
};
use chrono::{DateTime, Utc};
use platform::secret::{self, ExposeSecret, SecretHash, SecretString};
use serde::Serialize;

use super::{
    access_token::Issued, client_auth::authenticate, dpop, error::TokenError, parameters::Parameters, scope,
};
use crate::{
    App, config, refusals,
    store::{
        Tx,
        clients::Client,
        grants::Grant,
        refresh_tokens::{self, RefreshToken},
    },
};

/// RFC 8628 §3.4.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8693 §2.1.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const REFRESH_TOKEN: &str = "lkr_";

/// RFC 6749 §5.1. Its `Debug` shows no token.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// RFC 8693 §2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl TokenResponse {
    fn of(issued: Issued) -> Self {
        Self {
            access_token: issued.token,
            token_type: issued.token_type,
            expires_in: issued.expires_in,
            refresh_token: None,
            scope: issued.scope,
            id_token: None,
            issued_token_type: None,
        }
    }
}

type Answer =
    ([(HeaderName, &'static str); 1], AppendHeaders<Option<(HeaderName, HeaderValue)>>, Json<TokenResponse>);

pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Answer, TokenError> {
    let parameters = form(&headers, &body)?;
    let client = authenticate(&app, &headers, &parameters).await?;
    let jkt = dpop::proven(&app, Some(&client), &headers, "POST", "/token", None).await?;
    let jkt = jkt.as_deref();
    if client.dpop_bound_access_tokens && jkt.is_none() {
        return Err(TokenError::InvalidDpopProof(
            "this client's tokens are bound to a key, and there is no proof of one",
        ));
    }
    let grant_type =
        parameters.get("grant_type").ok_or(TokenError::InvalidRequest("grant_type is missing"))?;
    let known = matches!(
        grant_type,
        "authorization_code" | "refresh_token" | "client_credentials" | DEVICE_CODE | TOKEN_EXCHANGE
    );
    if known && !client.grant_types.has(grant_type) {
        return Err(TokenError::UnauthorizedClient("the client is not registered for this grant type"));
    }
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let response = match grant_type {
        "authorization_code" => authorization_code::grant(&app, &parameters, &client, jkt).await?,
        "refresh_token" => refresh_token::grant(&app, &parameters, &client, jkt).await?,
        "client_credentials" => client_credentials::grant(&app, &parameters, &client, jkt)?,
        DEVICE_CODE => device_code::grant(&app, &parameters, &client, jkt).await?,
        TOKEN_EXCHANGE => token_exchange::grant(&app, &parameters, &client, jkt).await?,
        _ => return Err(TokenError::UnsupportedGrantType),
    };
    tracing::info!(client.id = %client.id, grant_type, "issued a token to {}", client.id);
    Ok((no_store, AppendHeaders(dpop::next_nonce(&app, jkt)), Json(response)))
}

/// The parameters of a request to this endpoint or one of its neighbours.
pub fn form(headers: &HeaderMap, body: &Bytes) -> Result<Parameters, TokenError> {
    let parameters = Parameters::from_form(headers, body);
    let parameters = parameters.ok_or(TokenError::InvalidRequest("the body is not a form"))?;
    refusals::parameters(&parameters);
    Ok(parameters)
}

/// The audience of one access token: the `resource`s asked for at this endpoint, if they are within what
/// was granted (RFC 8707 §2.2), else all of it.
fn narrow_audience(parameters: &Parameters, granted: &str) -> Result<String, TokenError> {
    let asked: Vec<&str> = parameters.all("resource").collect();
    if asked.is_empty() {
        return Ok(granted.to_owned());
    }
    if asked.iter().all(|resource| scope::has(granted, resource)) {
        return Ok(asked.join(" "));
    }
    Err(TokenError::InvalidTarget("the resource was not granted"))
}

/// Whether a client gets refresh tokens with this scope: when it is registered for them and either ours or
/// allowed to act while the person is away (OpenID Connect Core §11).
fn may_refresh(client: &Client, scope: &str) -> bool {
    client.grant_types.has("refresh_token") && (client.first_party || scope::has(scope, "offline_access"))
}

/// Stores a refresh token of the grant's family. Of a public client nothing else proves whose it is: it is
/// bound to the client's key, if there is one (RFC 9449 §5).
async fn store_refresh_token(
    app: &App,
    tx: &mut Tx,
    token: &SecretString,
    client: &Client,
    grant: &Grant,
    jkt: Option<&str>,
) -> Result<(), TokenError> {
    let hash = SecretHash::of(token.expose_secret());
    let row = RefreshToken {
        grant_id: grant.id,
        client_id: &client.id,
        dpop_jkt: jkt.filter(|_| client.is_public()),
        expires_at: refresh_token_expires_at(app, grant),
    };
    refresh_tokens::insert(tx, &hash, &row).await?;
    Ok(())
}

/// Of one that is not used from now on.
fn refresh_token_expires_at(app: &App, grant: &Grant) -> DateTime<Utc> {
    let idle = app.clock.now() + config::seconds(app.config.tokens.refresh_token_idle);
    idle.min(grant.expires_at)
}

fn new_refresh_token() -> SecretString {
    secret::generate(REFRESH_TOKEN)
}
