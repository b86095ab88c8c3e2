//! What a protected endpoint asks for: a caller with the right scope, in a list of their own.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{StatusCode, request::Parts},
};

use crate::{App, error::Problem};

/// A scope that an endpoint demands.
pub(crate) trait RequiredScope {
    const SCOPE: &'static str;
}

/// `tasks:read`
#[derive(Debug)]
pub(crate) struct Read;
impl RequiredScope for Read {
    const SCOPE: &'static str = "tasks:read";
}

/// `tasks:write`
#[derive(Debug)]
pub(crate) struct Write;
impl RequiredScope for Write {
    const SCOPE: &'static str = "tasks:write";
}

/// Proof that the caller may do what `S` allows with the list that the path names: their own.
#[derive(Debug)]
pub(crate) struct Access<S> {
    /// Whose list it is: the token's `sub`.
    pub user_id: String,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequestParts<App> for Access<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = super::authorize(app, parts, S::SCOPE)
            .await
            .map_err(|error| error.into_problem(&app.challenge))?;
        let path = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::new(StatusCode::NOT_FOUND, "There is nothing here."))?;
        let asked = path.iter().find(|(name, _)| *name == "user_id").map_or("", |(_, value)| value);
        if asked != "me" && asked != caller.subject {
            // A security event: somebody reaches for what is not theirs.
            tracing::warn!(user.id = %caller.subject, asked = %asked.escape_debug(), "refused cross-user access");
            return Err(Problem::new(StatusCode::FORBIDDEN, "This list belongs to somebody else."));
        }
        Ok(Self { user_id: caller.subject, scope: PhantomData })
    }
}
