//! Log-ins by other providers that came to nothing: what happened, and what to do now. Nothing that the provider
//! said is shown.

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::Response,
};
use platform::{http::current, pages::render, place::Place};

use super::super::{journey::Journey, throttle::Wait};
use crate::{
    App,
    upstream::{Failure, Provider},
};

/// Why somebody is not logged in.
pub enum Problem {
    /// They, or the provider, would rather not.
    Denied,
    Unavailable,
    /// The answer was none that can be believed.
    Broken,
    NotAgain,
    /// No account here belongs to them, and they may not make one.
    NoAccount,
    /// Addresses have to be confirmed here, and the provider has not done so.
    Unconfirmed,
    /// They have one, and are shut out.
    Disabled,
    /// Their identity there belongs to another account here.
    Taken,
    /// Who asked to link it is not who is logged in now.
    LoggedOut,
    /// The log-in was finished, took too long, or began in another browser.
    Gone,
    Throttled(Wait),
}

impl Problem {
    /// Logs it, too.
    pub fn of(failure: &Failure, provider: &Provider) -> Self {
        let upstream = &provider.settings.id;
        match failure {
            Failure::Denied => Self::Denied,
            Failure::NotAgain => Self::NotAgain,
            Failure::Unavailable(_) => {
                tracing::warn!(upstream, %failure, "a log-in by {upstream} failed");
                Self::Unavailable
            }
            Failure::Broken(rule) => {
                tracing::warn!(upstream, rule, "refused a log-in by {upstream}");
                Self::Broken
            }
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Denied
            | Self::NotAgain
            | Self::NoAccount
            | Self::Unconfirmed
            | Self::Disabled
            | Self::LoggedOut => StatusCode::FORBIDDEN,
            Self::Unavailable | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Taken => StatusCode::CONFLICT,
            Self::Gone => StatusCode::BAD_REQUEST,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

#[derive(Template)]
#[template(path = "upstream_problem.html")]
struct Page<'a> {
    place: &'a Place,
    name: &'a str,
    problem: &'a Problem,
    /// Where to begin again.
    back: &'a str,
    reference: String,
}

/// `journey`: where the log-in should have led, when that is known.
pub fn page(app: &App, provider: &Provider, journey: Option<&Journey>, problem: &Problem) -> Response {
    let back = journey.map_or_else(|| "/login".to_owned(), |journey| journey.by("/login"));
    let (place, name, reference) = (&app.place, &provider.settings.name, current().id.to_string());
    let page = Page { place, name, problem, back: &back, reference };
    let mut response = render(page.render());
    if response.status().is_success() {
        *response.status_mut() = problem.status();
    }
    if let Problem::Throttled(wait) = problem {
        response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
    }
    response
}
