//! Static files, served from memory under URLs that change with their content.
//!
//! `/static/<hash>/style.css` may be kept by browsers for ever: other content has another URL. A request
//! with another hash (a page of the version before, or of a node already upgraded) gets the file of this
//! version, not to be kept.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::http::has_current;

/// The mark that stands for a place without a logo of its own, as SVG: its icon.
pub const MARK: &str = include_str!("../static/mark.svg");

/// A service's static files.
#[derive(Clone, Debug)]
pub struct Assets(Arc<[Asset]>);

#[derive(Debug)]
struct Asset {
    name: &'static str,
    body: Bytes,
    hash: String,
    /// The hash in quotes: a strong validator.
    etag: HeaderValue,
}

impl Assets {
    /// File names (`style.css`) with their content.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (&'static str, Bytes)>) -> Self {
        let assets = files.into_iter().map(|(name, body)| {
            let hash: String = URL_SAFE_NO_PAD.encode(Sha256::digest(&body)).chars().take(16).collect();
            let etag =
                HeaderValue::try_from(format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""));
            Asset { name, body, hash, etag }
        });
        Self(assets.collect())
    }

    /// The path of `name` for a page to link; a path that answers 404 when there is no such file.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let hash = self.0.iter().find(|asset| asset.name == name).map_or("-", |asset| &asset.hash);
        format!("/static/{hash}/{name}")
    }

    /// `GET /static/{hash}/{name}`.
    pub fn router(&self) -> Router {
        Router::new().route("/static/{hash}/{name}", get(serve)).with_state(self.clone())
    }
}

async fn serve(
    State(assets): State<Assets>,
    Path((hash, name)): Path<(String, String)>,
    request: HeaderMap,
) -> Response {
    let Some(asset) = assets.0.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let keep = if hash == asset.hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::ETAG, asset.etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(asset.name))),
    ];
    if has_current(&request, &asset.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.body.clone()).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    async fn get(path: &str, if_none_match: Option<&HeaderValue>) -> Response {
        let mut request = Request::get(path);
        if let Some(etag) = if_none_match {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let router = Assets::new([("style.css", Bytes::from_static(b"a{}"))]).router();
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_kept_under_its_own_hash_only() {
        let url = Assets::new([("style.css", Bytes::from_static(b"a{}"))]).url("style.css");
        let response = get(&url, None).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let etag = response.headers()[header::ETAG].clone();
        assert_eq!(get(&url, Some(&etag)).await.status(), StatusCode::NOT_MODIFIED);

        assert_eq!(get("/static/old/style.css", None).await.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(get("/static/old/other.css", None).await.status(), StatusCode::NOT_FOUND);
    }
}
