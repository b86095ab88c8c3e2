//! `/openapi.json`, and a page made of it: `/docs`. No script, nothing from elsewhere.

mod page;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    routing::get,
};
use utoipa::openapi::OpenApi;

const STYLES: &str = include_str!("static/docs.css");
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Neither document changes while the process runs: each is written once, here.
pub(crate) fn router<S>(openapi: &OpenApi) -> Result<Router<S>, Error>
where
    S: Clone + Send + Sync + 'static,
{
    let document = serde_json::to_value(openapi)?;
    let json = serde_json::to_string_pretty(&document)?;
    let html = page::render(&document)?;
    Ok(Router::new()
        .route("/openapi.json", get(async move || answer("application/json", json)))
        .route("/docs", get(async move || answer("text/html; charset=utf-8", html)))
        .route("/docs.css", get(async || answer("text/css; charset=utf-8", STYLES))))
}

/// Why the documentation could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Page(#[from] askama::Error),
}

fn answer<B>(media_type: &'static str, body: B) -> ([(HeaderName, HeaderValue); 3], B) {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), body)
}
