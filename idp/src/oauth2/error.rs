//! What machines are told: RFC 6749 §5.2 for the token endpoint and its neighbours, RFC 6750 §3 for bearer
//! tokens. The client learns the code; the reason goes to the log, once, here.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{db, dpop};
use serde_json::json;

use super::{
    authorize::Refusal,
    dpop::{DpopError, Nonce},
};
use crate::{
    clients::{self, NotNow},
    error::PageError,
    keys::InvalidToken,
    refusals, store,
};

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("invalid_request: {0}")]
    InvalidRequest(&'static str),
    #[error("invalid_client: {0}")]
    InvalidClient(&'static str),
    #[error("invalid_grant: {0}")]
    InvalidGrant(&'static str),
    #[error("unauthorized_client: {0}")]
    UnauthorizedClient(&'static str),
    #[error("unsupported_grant_type")]
    UnsupportedGrantType,
    #[error("invalid_scope: {0}")]
    InvalidScope(&'static str),
    /// RFC 8707 §2.
    #[error("invalid_target: {0}")]
    InvalidTarget(&'static str),
    /// RFC 9449 §5.
    #[error("invalid_dpop_proof: {0}")]
    InvalidDpopProof(&'static str),
    /// RFC 9449 §8.
    #[error("use_dpop_nonce: the proof has none of ours, or an old one")]
    UseDpopNonce(Nonce),
    /// What a browser would be sent back with (RFC 9126 §2.3): an error code of RFC 6749 §4.1.2.1, and the rule.
    #[error("{0}: {1}")]
    Authorization(&'static str, &'static str),
    /// RFC 8628 §3.5, and the next three.
    #[error("authorization_pending")]
    AuthorizationPending,
    #[error("slow_down")]
    SlowDown,
    #[error("access_denied: the person refused")]
    AccessDenied,
    #[error("expired_token: nobody decided in time")]
    ExpiredToken,
    #[error("temporarily_unavailable: {0}")]
    NotNow(#[from] NotNow),
    #[error("server_error: {0}")]
    Internal(#[from] store::Error),
    #[error("server_error: {0}")]
    Sign(#[from] InvalidToken),
    /// oxide-auth was driven in a way that it does not allow.
    #[error("server_error: the state machine was misused")]
    Machine,
}

impl From<DpopError> for TokenError {
    fn from(error: DpopError) -> Self {
        match error {
            DpopError::Invalid(rule) => Self::InvalidDpopProof(rule),
            DpopError::UseNonce(nonce) => Self::UseDpopNonce(nonce),
            DpopError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<clients::Error> for TokenError {
    fn from(error: clients::Error) -> Self {
        match error {
            clients::Error::NotNow(not_now) => Self::NotNow(not_now),
            clients::Error::Store(error) => Self::Internal(error),
        }
    }
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Client { error, rule, .. } => Self::Authorization(error, rule),
            Refusal::Person(PageError::Internal(error)) => Self::Internal(error),
            Refusal::Person(PageError::NotNow(not_now)) => Self::NotNow(not_now),
            Refusal::Person(PageError::Request(rule)) => Self::InvalidRequest(rule),
            Refusal::Person(_) => Self::InvalidRequest("not a request of a registered client"),
        }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::UnauthorizedClient(_) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::InvalidTarget(_) => (StatusCode::BAD_REQUEST, "invalid_target"),
            Self::InvalidDpopProof(_) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            Self::UseDpopNonce(_) => (StatusCode::BAD_REQUEST, "use_dpop_nonce"),
            Self::Authorization(code, _) => (StatusCode::BAD_REQUEST, *code),
            Self::AuthorizationPending => (StatusCode::BAD_REQUEST, "authorization_pending"),
            Self::SlowDown => (StatusCode::BAD_REQUEST, "slow_down"),
            Self::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied"),
            Self::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token"),
            Self::NotNow(not_now) => (not_now.status(), "temporarily_unavailable"),
            Self::Internal(error) if db::is_busy(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Internal(_) | Self::Sign(_) | Self::Machine => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error")
            }
        };
        if status.is_server_error() {
            tracing::error!(error = %self, "a token request failed");
        } else if matches!(self, Self::AuthorizationPending) {
            tracing::debug!("a device waits"); // as often as it asks
        } else {
            tracing::info!(rule = %self, "refused a token request");
            // That a nonce is told is how the protocol begins (RFC 9449 §8).
            if !matches!(self, Self::UseDpopNonce(_)) {
                refusals::refused(code, rule(code, &self));
            }
        }
        let mut response = (status, Json(json!({"error": code}))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::UseDpopNonce(nonce) = &self {
            headers.extend(nonce.header());
        }
        if let Self::NotNow(not_now) = &self {
            headers.insert(header::RETRY_AFTER, not_now.retry_after());
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"latchkey\""));
        }
        response
    }
}

/// What an error says beside its code.
fn rule(code: &str, error: &impl ToString) -> String {
    let text = error.to_string();
    text.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text).to_owned()
}

/// What all answers of these endpoints have in common: nobody keeps them (RFC 6749 §5.1). What axum says of a
/// body that is too large gets the form that they answer in.
pub async fn finish(response: Response) -> Response {
    let mut response = match response.status() {
        too_large @ StatusCode::PAYLOAD_TOO_LARGE => {
            (too_large, Json(json!({"error": "invalid_request"}))).into_response()
        }
        _ => response,
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// RFC 6750 §3 and RFC 9449 §7.1.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// No credentials: the challenge alone, without an error code (§3.1).
    #[error("no access token")]
    Missing,
    #[error("invalid_request: {0}")]
    InvalidRequest(&'static str),
    #[error("invalid_token: {0}")]
    InvalidToken(&'static str),
    #[error("insufficient_scope: {0} is needed")]
    InsufficientScope(&'static str),
    #[error("invalid_dpop_proof: {0}")]
    InvalidDpopProof(&'static str),
    #[error("use_dpop_nonce: the proof has none of ours, or an old one")]
    UseDpopNonce(Nonce),
    #[error("server_error: {0}")]
    Internal(#[from] store::Error),
}

impl From<InvalidToken> for BearerError {
    fn from(InvalidToken(reason): InvalidToken) -> Self {
        Self::InvalidToken(reason)
    }
}

impl From<DpopError> for BearerError {
    fn from(error: DpopError) -> Self {
        match error {
            DpopError::Invalid(rule) => Self::InvalidDpopProof(rule),
            DpopError::UseNonce(nonce) => Self::UseDpopNonce(nonce),
            DpopError::Internal(error) => Self::Internal(error),
        }
    }
}

impl IntoResponse for BearerError {
    fn into_response(self) -> Response {
        let (status, error) = match &self {
            Self::Missing => (StatusCode::UNAUTHORIZED, String::new()),
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "error=\"invalid_request\"".to_owned()),
            Self::InvalidToken(_) => (StatusCode::UNAUTHORIZED, "error=\"invalid_token\"".to_owned()),
            Self::InsufficientScope(scope) => {
                (StatusCode::FORBIDDEN, format!("error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            Self::InvalidDpopProof(_) => {
                (StatusCode::UNAUTHORIZED, "error=\"invalid_dpop_proof\"".to_owned())
            }
            Self::UseDpopNonce(_) => (StatusCode::UNAUTHORIZED, "error=\"use_dpop_nonce\"".to_owned()),
            Self::Internal(error) => {
                tracing::error!(%error, "storage failed");
                if db::is_busy(error) {
                    return ([(header::RETRY_AFTER, "1")], StatusCode::SERVICE_UNAVAILABLE).into_response();
                }
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        tracing::info!(rule = %self, "refused an access token");
        match &self {
            Self::Missing => refusals::refused("invalid_request", &self),
            Self::InvalidRequest(rule) => refusals::refused("invalid_request", rule),
            Self::InvalidToken(rule) => refusals::refused("invalid_token", rule),
            Self::InsufficientScope(_) => {
                refusals::refused("insufficient_scope", rule("insufficient_scope", &self))
            }
            Self::InvalidDpopProof(rule) => refusals::refused("invalid_dpop_proof", rule),
            Self::UseDpopNonce(_) | Self::Internal(_) => {}
        }
        let separator = if error.is_empty() { "" } else { ", " };
        let mut response = ([(header::CACHE_CONTROL, "no-store")], status).into_response();
        let headers = response.headers_mut();
        let about_proof = matches!(self, Self::InvalidDpopProof(_) | Self::UseDpopNonce(_));
        let bearer = (!about_proof).then(|| format!("Bearer realm=\"latchkey\"{separator}{error}"));
        let algs = dpop::algorithms().join(" ");
        let dpop = format!("DPoP algs=\"{algs}\"{separator}{error}");
        for challenge in bearer.into_iter().chain([dpop]) {
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        if let Self::UseDpopNonce(nonce) = &self {
            headers.extend(nonce.header());
        }
        response
    }
}
