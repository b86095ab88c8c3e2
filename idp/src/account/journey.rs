//! Where a log-in or a sign-up leads: back to the app or the device that asked for it, or to the account page.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use platform::pages::{Page, render};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use crate::{
    App,
    error::PageError,
    oauth2::{authorize::is_renewal, pending::Pending, user_code::UserCode},
    store::sessions::Session,
};

pub enum Journey {
    Account,
    /// An authorization request waits.
    App(Box<Pending>),
    /// A device waits; its code may be known already.
    Device(Option<UserCode>),
}

/// What a page of a journey brings along, in its address and in its form.
#[derive(Deserialize)]
pub struct Carried {
    /// The handle of the authorization request that waits.
    request: Option<String>,
    user_code: Option<String>,
}

impl Journey {
    pub async fn find(app: &App, carried: &Carried, page: &Page) -> Result<Self, PageError> {
        Ok(match (&carried.request, &carried.user_code) {
            (Some(handle), _) => Self::App(Box::new(Pending::find(app, handle, page).await?)),
            (None, Some(code)) => Self::Device(UserCode::parse(code)),
            (None, None) => Self::Account,
        })
    }

    pub fn handle(&self) -> Option<&str> {
        self.pending().map(|pending| pending.handle.as_str())
    }

    /// The code of the device that waits.
    pub fn code(&self) -> Option<&UserCode> {
        match self {
            Self::Device(code) => code.as_ref(),
            Self::Account | Self::App(_) => None,
        }
    }

    pub fn is_for_a_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// Nothing waits: whoever is logged in has nothing to do here.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Account)
    }

    /// The name of the app that waits.
    pub fn client(&self) -> Option<&str> {
        self.pending().map(|pending| pending.client.name.as_str())
    }

    pub fn login_hint(&self) -> Option<&str> {
        self.pending().and_then(|pending| pending.login_hint.as_deref())
    }

    /// Whether an app waits for whoever is logged in to log in again.
    pub fn renews(&self, app: &App, session: &Session) -> bool {
        self.pending().is_some_and(|pending| is_renewal(app, pending, session))
    }

    /// What every form and address of this journey has: a parameter's name and value.
    pub fn carried(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Account => None,
            Self::App(pending) => Some(("request", pending.handle.clone())),
            Self::Device(code) => {
                Some(("user_code", code.as_ref().map(UserCode::to_string).unwrap_or_default()))
            }
        }
    }

    /// A page of ours, without losing what waits.
    pub fn by(&self, path: &str) -> String {
        match self.carried() {
            Some((name, value)) => with(path, name, &value),
            None => path.to_owned(),
        }
    }

    /// Where a person goes who is logged in now.
    pub fn destination(&self) -> String {
        self.by(match self {
            Self::Account => "/account",
            Self::App(_) => "/authorize/resume",
            Self::Device(_) => "/device",
        })
    }

    /// A page of this journey. Its form may lead on to the app, which the page's policy must allow.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = render(template.render());
        if response.status().is_success() {
            *response.status_mut() = status;
        }
        if let Some(pending) = self.pending() {
            response.extensions_mut().insert(pending.form_target());
        }
        response
    }

    fn pending(&self) -> Option<&Pending> {
        match self {
            Self::App(pending) => Some(pending),
            Self::Account | Self::Device(_) => None,
        }
    }
}

/// `path?request=<handle>`
pub fn with_request(path: &str, handle: &str) -> String {
    with(path, "request", handle)
}

fn with(path: &str, name: &str, value: &str) -> String {
    let value: String = byte_serialize(value.as_bytes()).collect();
    format!("{path}?{name}={value}")
}
