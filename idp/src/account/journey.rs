//! Where a log-in or a sign-up leads: back to the app or the device that asked for it, or to the account page.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use platform::pages::{Page, is_local_path, render};
use serde::Deserialize;
use url::form_urlencoded::{self, byte_serialize, parse};

use super::session;
use crate::{
    App,
    error::PageError,
    oauth2::{
        authorize::{demands_second, is_renewal, max_age},
        pending::Pending,
        user_code::UserCode,
    },
    store::sessions::Session,
};

const RETURN_TO: &str = "return_to";

pub enum Journey {
    Account,
    /// A page of the account that needs a log-in, or one that has just been made.
    Place(String),
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
    return_to: Option<String>,
}

impl Carried {
    /// What [`Journey::keep`] has written.
    pub fn kept(text: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = parse(text.as_bytes());
            pairs.find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
        };
        Self { request: value("request"), user_code: value("user_code"), return_to: value(RETURN_TO) }
    }
}

impl Journey {
    /// To a page of the account; to its first for what is none.
    fn of_account(place: &str) -> Self {
        if is_local_path(place) && place.starts_with("/account/") && !place.contains("/.") {
            Self::Place(place.to_owned())
        } else {
            Self::Account
        }
    }

    pub async fn find(app: &App, carried: &Carried, page: &Page) -> Result<Self, PageError> {
        Ok(match (&carried.request, &carried.user_code, &carried.return_to) {
            (Some(handle), ..) => Self::App(Box::new(Pending::find(app, handle, page).await?)),
            (None, Some(code), _) => Self::Device(UserCode::parse(code)),
            (None, None, Some(place)) => Self::of_account(place),
            (None, None, None) => Self::Account,
        })
    }

    pub fn handle(&self) -> Option<&str> {
        self.pending().map(|pending| pending.handle.as_str())
    }

    /// The code of the device that waits.
    pub fn code(&self) -> Option<&UserCode> {
        match self {
            Self::Device(code) => code.as_ref(),
            Self::Account | Self::Place(_) | Self::App(_) => None,
        }
    }

    pub fn is_for_a_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// Whether whoever is logged in has nothing to do on the way any more.
    pub fn is_over(&self, app: &App, session: &Session) -> bool {
        matches!(self, Self::Account | Self::Place(_)) && !self.renews(app, session)
    }

    /// The name of the app that waits.
    pub fn client(&self) -> Option<&str> {
        self.pending().map(|pending| pending.client.name.as_str())
    }

    pub fn login_hint(&self) -> Option<&str> {
        self.pending().and_then(|pending| pending.login_hint.as_deref())
    }

    /// How long ago somebody may have proved who they are, in seconds, when an app cares.
    pub fn max_age(&self) -> Option<i64> {
        self.pending().and_then(max_age)
    }

    /// What other providers are asked for who may not know how to answer it, in seconds: pages that need a log-in of just
    /// now go by what they then say.
    pub fn wishes_max_age(&self) -> Option<i64> {
        matches!(self, Self::Place(_)).then(|| session::RECENT.num_seconds())
    }

    /// Whether an app or a page waits for whoever is logged in to log in again.
    pub fn renews(&self, app: &App, session: &Session) -> bool {
        match self {
            Self::App(pending) => is_renewal(app, pending, session),
            Self::Place(_) => !session::is_recent(app, session),
            Self::Account | Self::Device(_) => false,
        }
    }

    /// Whether nobody goes on from here by one factor.
    pub fn demands_second(&self, app: &App) -> bool {
        app.config.require_second_factor || self.pending().is_some_and(demands_second)
    }

    /// What every form and address of this journey has: a parameter's name and value.
    pub fn carried(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Account => None,
            Self::Place(place) => Some((RETURN_TO, place.clone())),
            Self::App(pending) => Some(("request", pending.handle.clone())),
            Self::Device(code) => {
                Some(("user_code", code.as_ref().map(UserCode::to_string).unwrap_or_default()))
            }
        }
    }

    /// As a text, for somebody who leaves for a while.
    pub fn keep(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.carried()).finish()
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
        match self {
            Self::Account => "/account".to_owned(),
            Self::Place(place) => place.clone(),
            Self::App(_) => self.by("/authorize/resume"),
            Self::Device(_) => self.by("/device"),
        }
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
            Self::Account | Self::Place(_) | Self::Device(_) => None,
        }
    }
}

/// Where somebody logs in who then goes on at `place`, a page of the account.
pub fn log_in_for(place: &str) -> String {
    Journey::of_account(place).by("/login")
}

/// Where somebody who is logged in proves a second factor, and then goes on at `place`.
pub fn second_for(place: &str) -> String {
    Journey::of_account(place).by("/login/second")
}

/// `path?request=<handle>`
pub fn with_request(path: &str, handle: &str) -> String {
    with(path, "request", handle)
}

fn with(path: &str, name: &str, value: &str) -> String {
    let value: String = byte_serialize(value.as_bytes()).collect();
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{name}={value}")
}
