//! What apps are told that register themselves: RFC 7591 §3.2.2 for what they ask for, RFC 6750 §3 for the token.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::db;
use serde::Serialize;

use super::super::error::BearerError;
use crate::{account::throttle::Wait, refusals, store};

/// Unlike at the other endpoints, whoever asks is told what is wrong: it is about what they have just sent.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    #[error("invalid_redirect_uri: {0}")]
    RedirectUri(String),
    #[error("invalid_client_metadata: {0}")]
    Metadata(String),
    #[error("the body is too large")]
    TooLarge,
    #[error(transparent)]
    Bearer(#[from] BearerError),
    #[error("too many registrations from one network")]
    Throttled(Wait),
    #[error("server_error: {0}")]
    Internal(#[from] store::Error),
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

impl IntoResponse for RegistrationError {
    fn into_response(self) -> Response {
        let rule = self.to_string();
        let (status, code, description) = match self {
            Self::Bearer(error) => return error.into_response(),
            Self::RedirectUri(reason) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri", Some(reason)),
            Self::Metadata(reason) => (StatusCode::BAD_REQUEST, "invalid_client_metadata", Some(reason)),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", None),
            Self::Throttled(wait) => {
                tracing::info!(rule, "refused a registration");
                refusals::refused("temporarily_unavailable", &rule);
                let headers = [(header::RETRY_AFTER, wait.retry_after()), no_store()];
                let body = Json(Body { error: "temporarily_unavailable", error_description: None });
                return (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response();
            }
            Self::Internal(error) if db::is_busy(&error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", None)
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        };
        if status.is_server_error() {
            tracing::error!(error = rule, "a registration failed");
        } else {
            tracing::info!(rule, "refused a registration");
            refusals::refused(
                code,
                rule.strip_prefix(code).map_or(&*rule, |rest| rest.trim_start_matches(": ")),
            );
        }
        let error_description = description.as_deref().map(ascii);
        (status, [no_store()], Json(Body { error: code, error_description })).into_response()
    }
}

fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// RFC 6749 §5.2: visible ASCII and spaces, without quotes and backslashes.
fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            ' '..='~' if c != '\\' => c,
            _ => '?',
        })
        .collect()
}
