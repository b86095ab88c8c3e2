//! Consent: what an app may do, decided by the person whose it is. All that is shown comes from the
//! request that waits on the server; the browser only says yes or no.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected, render},
    place::Place,
};
use serde::Deserialize;

use super::{journey::with_request, session};
use crate::{
    App,
    error::PageError,
    oauth2::{
        authorize::{self, AuthorizeError, Decision},
        pending::Pending,
    },
    store::sessions::Session,
};

#[derive(Deserialize)]
pub struct Parameters {
    request: String,
}

#[derive(Deserialize)]
pub struct Form {
    request: String,
    decision: Answer,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    Allow,
    Deny,
}

impl From<Answer> for Decision {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Allow => Self::Allow,
            Answer::Deny => Self::Deny,
        }
    }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    place: &'a Place,
    page: &'a Page,
    session: &'a Session,
    pending: &'a Pending,
    /// In plain words, and by name where we have none.
    permissions: Vec<(Option<&'static str>, &'a str)>,
    not_you: String,
}

/// `GET /consent?request=<handle>`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(Parameters { request }): Query<Parameters>,
) -> Result<Response, PageError> {
    let pending = Pending::find(&app, &request, &page).await?;
    let not_you = with_request("/login", &request);
    let Some(session) = session::current(&app, &headers).await? else {
        return Ok(Redirect::to(&not_you).into_response());
    };
    let consent = Consent {
        place: &app.place,
        page: &page,
        session: &session,
        pending: &pending,
        permissions: permissions(&pending.scope),
        not_you,
    };
    let mut response = render(consent.render());
    response.extensions_mut().insert(pending.form_target());
    Ok(response)
}

/// `POST /consent`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, AuthorizeError> {
    let pending = Pending::find(&app, &form.request, &page).await?;
    let Some(session) = session::current(&app, &headers).await? else {
        return Ok(Redirect::to(&with_request("/login", &form.request)).into_response());
    };
    authorize::decide(&app, pending, &session, &page, form.decision.into()).await
}

/// In the order in which people are told.
const IN_WORDS: [(&str, &str); 8] = [
    ("openid", "Know that it is you"),
    ("profile", "See your name"),
    ("email", "See your e-mail address"),
    ("phone", "See your phone number"),
    ("address", "See your postal address"),
    ("tasks:read", "See your tasks"),
    ("tasks:write", "Add, change and delete your tasks"),
    ("offline_access", "Do all this while you are away, until it is taken back"),
];

/// Unknown scopes come first: what needs a closer look shall not drown.
pub(super) fn permissions(scope: &[String]) -> Vec<(Option<&'static str>, &str)> {
    let place = |scope: &str| IN_WORDS.iter().position(|(name, _)| *name == scope);
    let mut scopes: Vec<&str> = scope.iter().map(String::as_str).collect();
    scopes.sort_by_key(|scope| place(scope));
    let words = |scope: &str| IN_WORDS.iter().find(|(name, _)| *name == scope).map(|(_, words)| *words);
    scopes.into_iter().map(|scope| (words(scope), scope)).collect()
}
