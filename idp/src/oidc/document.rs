//! Public documents: made once, served from memory, cached by whoever fetches them.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{http::has_current, secret::SecretHash};

use crate::keys::PUBLISHED_FOR;

/// A JSON document with its `ETag`.
#[derive(Clone, Debug)]
pub struct Document {
    body: Bytes,
    etag: HeaderValue,
    cache_control: HeaderValue,
}

impl Document {
    #[must_use]
    pub fn new(json: String) -> Self {
        let etag = format!("\"{}\"", SecretHash::of(&json).to_base64url());
        let cache_control = format!("public, max-age={}", PUBLISHED_FOR.num_seconds());
        let header = |text| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        Self { body: json.into(), etag: header(etag), cache_control: header(cache_control) }
    }

    /// 200, or 304 when the caller has it already (RFC 9110 §13.1.2).
    #[must_use]
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let (status, body) = if has_current(headers, &self.etag) {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, self.body.clone())
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, self.cache_control.clone()),
            (header::ETAG, self.etag.clone()),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        ];
        (status, headers, Body::from(body)).into_response()
    }

    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
