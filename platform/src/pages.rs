//! What makes pages safe: a cookie that binds forms to a browser, a Content-Security-Policy with a nonce,
//! forms that only our own pages can post, and one place that turns refusals into error pages.
//!
//! A form's token is an HMAC-like digest of the browser's random cookie: another site can make a browser
//! post, but knows neither. The cookie holds no identity and survives log-in and log-out.

use std::{fmt, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{
    http::{MAX_BODY, current},
    secret::{self, ExposeSecret, SecretHash},
};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The name of the field that carries a form's token.
pub const FORM_TOKEN: &str = "form_token";

/// A service that has pages.
#[derive(Clone, Debug)]
pub struct Site(Arc<SiteParts>);

struct SiteParts {
    origin: String,
    name: &'static str,
    error_page: Box<dyn Fn(&ErrorPage) -> String + Send + Sync>,
}

impl fmt::Debug for SiteParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("origin", &self.origin).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Site {
    /// `origin` is the public one (`https://id.example`), `name` prefixes the cookies.
    #[must_use]
    pub fn new(
        origin: String,
        name: &'static str,
        error_page: impl Fn(&ErrorPage) -> String + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(SiteParts { origin, name, error_page: Box::new(error_page) }))
    }

    #[must_use]
    pub fn https(&self) -> bool {
        self.0.origin.starts_with("https:")
    }

    /// `__Host-latchkey_idp_session` on https, `latchkey_idp_session` on loopback. Cookies do not know
    /// ports, so the services' names keep them apart there.
    fn cookie_name(&self, purpose: &str) -> String {
        let prefix = if self.https() { "__Host-" } else { "" };
        format!("{prefix}latchkey_{}_{purpose}", self.0.name)
    }

    /// The value of the cookie for `purpose`; `None` when it is missing, or sent twice (somebody tossed one in).
    #[must_use]
    pub fn cookie(&self, headers: &HeaderMap, purpose: &str) -> Option<String> {
        let name = self.cookie_name(purpose);
        let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = sent
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let first = values.next()?;
        values.next().is_none().then(|| first.to_owned())
    }

    /// A `Set-Cookie` value: HttpOnly, SameSite=Lax, for the whole site. Without `max_age` (seconds) it
    /// ends with the browser; `Some(0)` removes it. `value` is base64url or empty.
    #[must_use]
    pub fn set_cookie(&self, purpose: &str, value: &str, max_age: Option<i64>) -> HeaderValue {
        let mut cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.cookie_name(purpose));
        if let Some(seconds) = max_age {
            cookie.push_str(&format!("; Max-Age={seconds}"));
        }
        if self.https() {
            cookie.push_str("; Secure");
        }
        HeaderValue::try_from(cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// What every template is given.
#[derive(Clone, Debug)]
pub struct Page {
    /// For `<script nonce=…>`.
    pub nonce: String,
    /// For `<input type="hidden" name="form_token" value=…>`.
    pub form_token: String,
    /// Names this browser; what must come back to the browser that started it is bound to this.
    pub browser: SecretHash,
}

/// A refusal that a person will read. Put into a response's extensions; [`layer`] renders it.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub title: &'static str,
    /// One or two sentences: what happened, what to do now. Never text from the request.
    pub message: &'static str,
}

/// What an error page shows.
#[derive(Debug)]
pub struct ErrorPage {
    pub status: StatusCode,
    pub title: &'static str,
    pub message: &'static str,
    /// What the operator can search the log for.
    pub reference: String,
    pub nonce: String,
}

/// In a response's extensions: an origin or scheme to which this page's form may lead after redirects.
/// Browsers apply `form-action` to the whole chain, so a log-in that ends at a client must name the client.
#[derive(Clone, Debug)]
pub struct FormTarget(pub String);

tokio::task_local! {
    static NONCE: String;
}

/// The nonce of the page that is being made, for what makes one without a [`Page`] at hand.
#[must_use]
pub fn nonce() -> String {
    NONCE.try_with(Clone::clone).unwrap_or_default()
}

/// Around the routes of pages: `middleware::from_fn_with_state(site, pages::layer)`.
pub async fn layer(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let known = site.cookie(request.headers(), "browser").filter(|value| value.len() == 43);
    // A post of another site comes without our cookies: a new one would replace what the browser has.
    let fresh =
        known.is_none() && (request.method().is_safe() || same_origin(&site.0.origin, request.headers()));
    let browser = known.unwrap_or_else(|| secret::generate("").expose_secret().to_owned());
    let page = Page {
        nonce: secret::generate("").expose_secret().chars().take(22).collect(),
        form_token: SecretHash::of(&format!("form:{browser}")).to_base64url(),
        browser: SecretHash::of(&browser),
    };
    request.extensions_mut().insert(page.clone());
    request.extensions_mut().insert(site.clone());

    let mut response = NONCE.scope(page.nonce.clone(), next.run(request)).await;
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && !is_html(&response) {
        response = error_page(&site, &page, response);
    }
    if is_html(&response) {
        let target = response.extensions().get::<FormTarget>();
        let policy = policy(&page.nonce, target.map_or("", |FormTarget(target)| target));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // Redirects too: what is bound to this browser (a log-in that begins with one) must find it again.
    if is_html(&response) || response.status().is_redirection() {
        let headers = response.headers_mut();
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if fresh {
            headers.append(header::SET_COOKIE, site.set_cookie("browser", &browser, Some(365 * 86400)));
        }
    }
    response
}

fn is_html(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

fn policy(nonce: &str, form_target: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         script-src 'nonce-{nonce}'; form-action 'self' {form_target}; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Replaces a bare refusal by the service's error page; keeps status and headers such as `Retry-After`.
fn error_page(site: &Site, page: &Page, response: Response) -> Response {
    let status = response.status();
    let refusal = response.extensions().get::<Refusal>().cloned().unwrap_or_else(|| default_refusal(status));
    let body = (site.0.error_page)(&ErrorPage {
        status,
        title: refusal.title,
        message: refusal.message,
        reference: current().id.to_string(),
        nonce: page.nonce.clone(),
    });
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(body))
}

fn default_refusal(status: StatusCode) -> Refusal {
    let (title, message) = match status {
        StatusCode::NOT_FOUND => (
            "Page not found",
            "There is nothing at this address. Check it for typing mistakes, or start from the home page.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "This address works differently",
            "It cannot be opened this way. Go back and use the buttons on the page.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ("Too much at once", "What was sent is larger than we accept."),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ("Busy right now", "We cannot answer this at the moment. Wait a little, then try again.")
        }
        status if status.is_client_error() => (
            "We could not understand that",
            "The request was not complete or not valid. Go back and try again.",
        ),
        _ => (
            "Something went wrong",
            "The mistake is ours. Try again; if it happens again, tell us the reference below.",
        ),
    };
    Refusal { title, message }
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        // Missing only when a route was put outside of `layer`.
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A posted form that came from one of our own pages. The only way to read one.
#[derive(Debug)]
pub struct Protected<T>(pub T);

/// Why a form was not taken. Among the extensions of the response that says so.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum FormError {
    #[error("the form was posted from another site")]
    CrossSite,
    #[error("the form's token is missing or not this browser's")]
    Token,
    #[error("the body is not a form that fits")]
    Malformed,
    #[error("the body is too large")]
    TooLarge,
}

impl IntoResponse for FormError {
    fn into_response(self) -> Response {
        tracing::info!(rule = %self, "refused a form");
        let expired = Refusal {
            title: "This form has expired",
            message: "For your safety nothing was changed. Go back, reload the page and try again; cookies must be allowed.",
        };
        let response = match self {
            Self::CrossSite | Self::Token => {
                (StatusCode::FORBIDDEN, axum::Extension(expired)).into_response()
            }
            Self::Malformed => StatusCode::BAD_REQUEST.into_response(),
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        };
        (axum::Extension(self), response).into_response()
    }
}

impl<S, T> FromRequest<S> for Protected<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = FormError;

    async fn from_request(request: Request, _: &S) -> Result<Self, FormError> {
        let (parts, body) = request.into_parts();
        let (Some(site), Some(page)) = (parts.extensions.get::<Site>(), parts.extensions.get::<Page>())
        else {
            return Err(FormError::Token);
        };
        if parts.method != Method::POST || !same_origin(&site.0.origin, &parts.headers) {
            return Err(FormError::CrossSite);
        }
        let content_type = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if !content_type.starts_with(b"application/x-www-form-urlencoded") {
            return Err(FormError::Malformed);
        }
        let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| FormError::TooLarge)?;
        let mut tokens = url::form_urlencoded::parse(&body).filter(|(name, _)| name == FORM_TOKEN);
        match (tokens.next(), tokens.next()) {
            (Some((_, token)), None) if secret::equal(&token, &page.form_token) => {}
            _ => return Err(FormError::Token),
        }
        serde_urlencoded::from_bytes(&body).map(Self).map_err(|_| FormError::Malformed)
    }
}

/// Browsers say where a post comes from; what says nothing (an old browser, curl) is judged by its token.
fn same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let site = headers.get(&SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    site && headers.get(header::ORIGIN).is_none_or(|sent| sent == origin)
}

/// Renders a template, or answers 500.
pub fn render<E: std::fmt::Display>(rendered: Result<String, E>) -> Response {
    match rendered {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a template failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Whether `target` is a place of ours: a path on this site that a redirect may follow.
///
/// Parsed as browsers parse, so that `//evil`, `/\evil`, `/%09/evil` and `https:evil` are seen for what they are.
#[must_use]
pub fn is_local_path(target: &str) -> bool {
    let Ok(base) = url::Url::parse("https://site.invalid") else { return false };
    let path = target.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    target.starts_with('/')
        && !target.starts_with("//")
        && !target.contains(|character: char| character == '\\' || character.is_control())
        // No page of ours has these in its path, and who knows who decodes them on the way.
        && !["%0", "%1", "%2f", "%5c", "%7f"].iter().any(|encoded| path.contains(encoded))
        && base.join(target).is_ok_and(|url| url.origin() == base.origin() && url.username().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_places_to_go() {
        for good in ["/", "/tasks", "/tasks?filter=open&q=a%20b", "/a//b", "/tasks#x", "/tasks?q=%0a%2f"] {
            assert!(is_local_path(good), "{good}");
        }
        for bad in [
            "",
            "tasks",
            "//evil.example",
            "///evil",
            "/\\evil",
            "\\/evil",
            "/\t/evil",
            "/\n/evil",
            "https://evil",
            "https:evil",
            "javascript:alert(1)",
            "/%2f/evil",
            "/%2F/evil",
            "/%09/evil",
            "/x/%0d%0aset-cookie:a",
            "/%5cevil",
            " /tasks",
            "/tasks\0",
            "@evil",
            ".",
            "?x",
        ] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
    }
}
