//! Step Up Authentication Challenge, RFC 9470: some requests need a log-in that is recent, or of a certain kind.

use axum::{
    extract::MatchedPath,
    http::{Method, request::Parts},
};

use super::token::Verified;
use crate::{App, config::StepUp, error::BearerError};

/// What the log-in behind a token should have been like, and was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Seconds.
    pub max_age: Option<u32>,
    pub acr_values: Vec<String>,
}

impl Demand {
    /// As §3 puts it into the challenge.
    pub(crate) fn attributes(&self) -> String {
        let max_age = self.max_age.map(|max_age| format!(r#", max_age="{max_age}""#)).unwrap_or_default();
        match self.acr_values.as_slice() {
            [] => max_age,
            values => format!(r#", acr_values="{}"{max_age}"#, values.join(" ")),
        }
    }
}

/// Refuses when one of the configured demands for this route is not met; the challenge says all of that demand.
pub(super) fn check(app: &App, parts: &Parts, verified: &Verified) -> Result<(), BearerError> {
    if app.config.step_up.is_empty() {
        return Ok(());
    }
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // HEAD tells of what GET shows: its length, its ETag, whether there is more.
    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
    let concerns = |rule: &&StepUp| {
        rule.path == path && rule.method.as_deref().is_none_or(|demanded| demanded == method)
    };
    // auth_time is in whole seconds.
    let now = app.clock.now().timestamp();
    let meets = |rule: &&StepUp| {
        let recent =
            |max_age: u32| verified.auth_time.is_some_and(|at| at.timestamp() + i64::from(max_age) >= now);
        let acr = verified.acr.as_ref();
        rule.max_age.is_none_or(recent)
            && (rule.acr_values.is_empty() || acr.is_some_and(|acr| rule.acr_values.contains(acr)))
    };
    match app.config.step_up.iter().filter(concerns).find(|rule| !meets(rule)) {
        None => Ok(()),
        Some(StepUp { max_age, acr_values, .. }) => {
            let demand = Demand { max_age: *max_age, acr_values: acr_values.clone() };
            Err(BearerError::InsufficientAuthentication(demand))
        }
    }
}
