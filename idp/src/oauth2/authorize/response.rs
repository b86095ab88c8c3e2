//! Answers of the authorization endpoint: to the client by redirect or form_post, or to the person as a page.

use std::{fmt, sync::Arc};

use askama::Template;
use axum::{
    Extension,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::pages::{self, FormTarget};

use super::super::redirect_uri;
use crate::{App, account::FormPost, error::PageError, refusals, store::clients::Client};

/// OAuth 2.0 Multiple Response Types §2.1 and Form Post Response Mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    FormPost,
}

impl ResponseMode {
    /// `None` for what is not supported. The default for codes is the query.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("query") => Some(Self::Query),
            Some("form_post") => Some(Self::FormPost),
            Some(_) => None,
        }
    }
}

/// Where an answer goes: a registered redirect URI of a live client.
#[derive(Clone, Debug)]
pub struct Target {
    pub client: Arc<Client>,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub mode: ResponseMode,
}

/// RFC 6749 §4.1.2.1. Which variant it is settles whether anybody may be redirected at all.
pub enum AuthorizeError {
    Page(PageError),
    Redirect(Box<Response>),
}

impl fmt::Debug for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(error) => f.debug_tuple("Page").field(error).finish(),
            Self::Redirect(_) => f.write_str("Redirect"),
        }
    }
}

impl<E: Into<PageError>> From<E> for AuthorizeError {
    fn from(error: E) -> Self {
        Self::Page(error.into())
    }
}

impl IntoResponse for AuthorizeError {
    fn into_response(self) -> Response {
        match self {
            Self::Page(error) => error.into_response(),
            Self::Redirect(response) => *response,
        }
    }
}

impl Target {
    /// Sends the person back with `parameters`, `state` and `iss` (RFC 9207).
    #[must_use]
    pub fn answer(&self, app: &App, mut parameters: Vec<(&str, String)>) -> Response {
        if let Some(state) = &self.state {
            parameters.push(("state", state.clone()));
        }
        parameters.push(("iss", app.config.issuer.clone()));
        match self.mode {
            ResponseMode::Query => self.redirect(&parameters),
            ResponseMode::FormPost => {
                let form = FormPost {
                    place: &app.place,
                    redirect_uri: &self.redirect_uri,
                    parameters: &parameters,
                    nonce: &pages::nonce(),
                };
                let target = FormTarget(redirect_uri::form_target(&self.redirect_uri));
                (Extension(target), pages::render(form.render())).into_response()
            }
        }
    }

    /// An error that the client is told of. `rule` is for the log.
    #[must_use]
    pub fn refuse(&self, app: &App, error: &'static str, rule: &'static str) -> AuthorizeError {
        tracing::info!(client.id = %self.client.id, error, rule, "refused an authorization request of {}", self.client.id);
        refusals::client(&self.client.id);
        refusals::refused(error, rule);
        AuthorizeError::Redirect(Box::new(self.answer(app, vec![("error", error.to_owned())])))
    }

    /// Appended as text: what was registered stays byte for byte, a query that it has stays first.
    fn redirect(&self, parameters: &[(&str, String)]) -> Response {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let separator = match self.redirect_uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        let location = HeaderValue::try_from(format!("{}{separator}{query}", self.redirect_uri));
        match location {
            // 303: a browser that posted to us must not post to the client (RFC 9700 §4.12).
            Ok(location) => {
                let no_store = HeaderValue::from_static("no-store");
                (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, no_store)])
                    .into_response()
            }
            Err(_) => PageError::Request("redirect_uri does not fit a header").into_response(),
        }
    }
}
