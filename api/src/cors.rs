//! Cross-Origin Resource Sharing: the configured origins, and no others.

use axum::http::{HeaderValue, Method, header};
use platform::{dpop::DPOP, http::X_REQUEST_ID};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{config::Config, tasks::create::IDEMPOTENCY_KEY};

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(600);

/// No cookies are involved (`Access-Control-Allow-Credentials` is never sent): the token is in a header.
pub(crate) fn layer(config: &Config) -> CorsLayer {
    let origins = config.allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            DPOP.clone(),
            IDEMPOTENCY_KEY.clone(),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            X_REQUEST_ID,
        ])
        .max_age(MAX_AGE)
}
