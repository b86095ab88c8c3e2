//! What every response of every service has: a request id, a log line, security headers, and never a panic.

use std::{
    any::Any,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::FutureExt;
use ipnet::IpNet;
use tracing::Instrument;
use uuid::Uuid;

use crate::{address, db::Db, linger::lingering};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The largest body that any endpoint reads, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The most that names and values of a request's headers may take together, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

/// What is kept of `User-Agent`, in characters.
const MAX_USER_AGENT: usize = 300;

/// A request is cut off after this long; nothing here takes more than a fraction of it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What [`observe`] needs to know of its service.
#[derive(Clone, Debug)]
pub struct Observed {
    /// `idp`, `api` or `web`.
    pub service: &'static str,
    /// `Strict-Transport-Security` is sent: the public address is https.
    pub https: bool,
    pub trusted_proxies: Arc<[IpNet]>,
}

/// One request, as the rest of its handling knows it. Also readable by [`current`] while it is handled.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub id: Uuid,
    pub client: IpAddr,
}

tokio::task_local! {
    /// With its `User-Agent`.
    static CURRENT: (Call, Option<HeaderValue>);
}

/// The request being handled. Outside of one (a background task), a nil id and an unspecified address.
#[must_use]
pub fn current() -> Call {
    let nobody = Call { id: Uuid::nil(), client: Ipv4Addr::UNSPECIFIED.into() };
    CURRENT.try_with(|(call, _)| *call).unwrap_or(nobody)
}

/// What the program that sent the request being handled calls itself, as much of it as is worth keeping.
#[must_use]
pub fn user_agent() -> Option<String> {
    let sent = |(_, sent): &(Call, Option<HeaderValue>)| {
        let text = sent.as_ref()?.to_str().ok()?;
        Some(text.chars().take(MAX_USER_AGENT).collect())
    };
    CURRENT.try_with(sent).ok().flatten()
}

/// Wraps a service's routes in all that every request gets, and adds `/health/live` and `/health/ready`.
pub fn finish(routes: Router, observed: Observed, db: Db) -> Router {
    routes
        .route("/health/live", get(|| async { Json(serde_json::json!({"status": "ok"})) }))
        .route("/health/ready", get(ready).with_state(db))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(observed, observe))
}

async fn ready(State(db): State<Db>) -> Response {
    match db.ping().await {
        Ok(()) => Json(serde_json::json!({"status": "ok"})).into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready: the database does not answer");
            let body = Json(serde_json::json!({"status": "unavailable"}));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn observe(State(observed): State<Observed>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let call = Call {
        id: Uuid::now_v7(),
        client: address::client(peer, request.headers(), &observed.trusted_proxies),
    };
    let method = request.method().clone();
    // The route, not the path: paths hold handles of pending requests.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", id = %call.id, service = observed.service);

    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if headers.sum::<usize>() > MAX_HEADERS {
        let mut response = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response();
        tracing::info!(parent: &span, %method, route, client = %call.client, "refused headers that are too large");
        secure(&mut response, call.id, observed.https);
        return response;
    }
    let user_agent = request.headers().get(header::USER_AGENT).cloned();
    let handling = CURRENT.scope((call, user_agent), next.run(request.map(lingering)));
    let handling = AssertUnwindSafe(handling).catch_unwind();
    let mut response = match tokio::time::timeout(TIMEOUT, handling.instrument(span.clone())).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(parent: &span, panic = panic_message(&*panic), "a handler panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => {
            tracing::error!(parent: &span, "a request took longer than {TIMEOUT:?}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    };

    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body may not be read to its end: on this connection nothing can follow (RFC 9112 §9.6).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    tracing::info!(
        parent: &span,
        %method,
        route,
        status = response.status().as_u16(),
        ms = format_args!("{:.1}", started.elapsed().as_secs_f64() * 1000.0),
        client = %call.client,
        "answered"
    );
    secure(&mut response, call.id, observed.https);
    response
}

/// Whether `If-None-Match` says that the caller has what `etag` names. Weak tags count (RFC 9110 §13.1.2).
#[must_use]
pub fn has_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of unknown type")
}

fn secure(response: &mut Response, id: Uuid, https: bool) {
    let headers = response.headers_mut();
    let mut buffer = Uuid::encode_buffer();
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut buffer)) {
        headers.insert(X_REQUEST_ID, id);
    }
    let fixed = |value| HeaderValue::from_static(value);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, fixed("DENY"));
    // Not `no-referrer`: with it, browsers send `Origin: null` with our own forms. What shows none may say so.
    headers.entry(header::REFERRER_POLICY).or_insert(fixed("same-origin"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = fixed("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    if https {
        let two_years = fixed("max-age=63072000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, two_years);
    }
}
