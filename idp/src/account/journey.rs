//! Where a log-in or a sign-up leads: back to the app that asked for it, or to the account page.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use platform::pages::{Page, render};
use url::form_urlencoded::byte_serialize;

use crate::{App, error::PageError, oauth2::pending::Pending};

pub struct Journey(Option<Pending>);

impl Journey {
    /// `request`: the handle of the authorization request that waits, if one does.
    pub async fn find(app: &App, request: Option<&str>, page: &Page) -> Result<Self, PageError> {
        Ok(Self(match request {
            Some(handle) => Some(Pending::find(app, handle, page).await?),
            None => None,
        }))
    }

    pub fn handle(&self) -> Option<&str> {
        self.0.as_ref().map(|pending| pending.handle.as_str())
    }

    /// The name of the app that waits.
    pub fn client(&self) -> Option<&str> {
        self.0.as_ref().map(|pending| pending.client.name.as_str())
    }

    pub fn login_hint(&self) -> Option<&str> {
        self.0.as_ref().and_then(|pending| pending.login_hint.as_deref())
    }

    /// A page of ours, without losing what waits.
    pub fn by(&self, path: &str) -> String {
        match self.handle() {
            Some(handle) => with_request(path, handle),
            None => path.to_owned(),
        }
    }

    /// Where a person goes who is logged in now.
    pub fn destination(&self) -> String {
        self.by(if self.0.is_some() { "/authorize/resume" } else { "/account" })
    }

    /// A page of this journey. Its form may lead on to the app, which the page's policy must allow.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = render(template.render());
        if response.status().is_success() {
            *response.status_mut() = status;
        }
        if let Some(pending) = &self.0 {
            response.extensions_mut().insert(pending.form_target());
        }
        response
    }
}

/// `path?request=<handle>`
pub fn with_request(path: &str, handle: &str) -> String {
    let handle: String = byte_serialize(handle.as_bytes()).collect();
    format!("{path}?request={handle}")
}
