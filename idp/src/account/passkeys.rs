//! Somebody's passkeys: which there are, what they are called, and taking one away.

mod add;
mod ceremony;
mod log_in;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use platform::pages::{Page, Protected};
use serde::{Deserialize, Serialize};

use super::{
    factors,
    frame::{Frame, Section},
    home::{ago, full, iso},
    session,
    throttle::Wait,
    toast::Toast,
};
use crate::{
    App,
    audit::{self, Event},
    error::PageError,
    refusals,
    store::{
        PasskeyId,
        passkeys::{self, Passkey},
        users,
    },
};

pub use ceremony::relying_party;

const HERE: &str = "/account/passkeys";
/// As many as one person may have.
const MAX: usize = 20;
const MAX_NAME: usize = 60;

/// Every route of passkeys; none where there are none.
pub fn router(app: &App) -> Router<App> {
    if app.passkeys.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/login/passkey", post(log_in::post))
        .route("/login/passkey/options", post(log_in::options))
        .route("/login/second/passkey", post(log_in::second))
        .route("/login/second/passkey/options", post(log_in::second_options))
        .route("/account/passkeys", get(list))
        .route("/account/passkeys/add", get(add::get).post(add::post))
        .route("/account/passkeys/add/options", post(add::options))
        .route("/account/passkeys/{id}", get(one).post(rename))
        .route("/account/passkeys/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct List<'a> {
    frame: &'a Frame<'a>,
    passkeys: Vec<Shown>,
    /// Whether there may be another one.
    more: bool,
}

/// A passkey, with how long ago what happened to it.
struct Shown {
    passkey: Passkey,
    added: String,
    used: Option<String>,
}

impl Shown {
    fn new(app: &App, passkey: Passkey) -> Self {
        let now = app.clock.now();
        let added = ago(now - passkey.created_at);
        let used = passkey.last_used_at.map(|used| ago(now - used));
        Self { passkey, added, used }
    }
}

#[derive(Template)]
#[template(path = "passkey.html")]
struct One<'a> {
    frame: &'a Frame<'a>,
    shown: &'a Shown,
    /// Without it nobody could log in any more.
    last_way: bool,
    name: &'a str,
    problem: Option<&'static str>,
}

/// `GET /account/passkeys`
async fn list(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let passkeys = passkeys::list(&mut conn, session.user_id).await?;
    drop(conn);
    let more = passkeys.len() < MAX;
    let passkeys = passkeys.into_iter().map(|passkey| Shown::new(&app, passkey)).collect();
    let frame = Frame::new(&app, &headers, &page, &session, Section::Security);
    Ok(frame.answer(StatusCode::OK, &List { frame: &frame, passkeys, more }))
}

/// `GET /account/passkeys/<id>`
async fn one(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Path(id): Path<PasskeyId>,
) -> Result<Response, PageError> {
    show_one(&app, &page, &headers, id, StatusCode::OK, None).await
}

#[derive(Deserialize)]
struct Renamed {
    name: String,
}

/// `POST /account/passkeys/<id>`
async fn rename(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Path(id): Path<PasskeyId>,
    Protected(form): Protected<Renamed>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, &at(id)).await?;
    let name = match check_name(&form.name) {
        Ok("") => Err("Enter a name."),
        checked => checked,
    };
    let name = match name {
        Ok(name) => name,
        Err(problem) => {
            let refused = Some((form.name.as_str(), problem));
            return show_one(&app, &page, &headers, id, StatusCode::UNPROCESSABLE_ENTITY, refused).await;
        }
    };
    let mut tx = app.db.write().await?;
    if passkeys::rename(&mut tx, session.user_id, id, name).await? {
        let event = Event::PasskeyRenamed { name: name.to_owned() };
        audit::record(&app, &mut tx, Some(session.user_id), event).await?;
        tx.commit().await?;
    }
    Ok(Toast::PasskeyRenamed.redirect(&app.site, HERE))
}

/// `POST /account/passkeys/<id>/remove`
async fn remove(
    State(app): State<App>,
    headers: HeaderMap,
    Path(id): Path<PasskeyId>,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, &at(id)).await?;
    let user = session.user_id;
    let mut tx = app.db.write().await?;
    // Of two passkeys that are removed at the same time, the second one may be the last.
    users::lock(&mut tx, user).await?;
    let Some(passkey) = passkeys::find(&mut tx, user, id).await? else {
        return Ok(Redirect::to(HERE).into_response());
    };
    if factors::ways_in(&app, &mut tx, user).await? == 1 {
        tracing::info!(rule = "last way in", user.id = %user, "refused to remove a passkey of user {user}");
        refusals::refused("account", "last way in");
        return Ok(Redirect::to(&at(id)).into_response());
    }
    passkeys::remove(&mut tx, user, id).await?;
    factors::forget_recovery(&app, &mut tx, user).await?;
    audit::record(&app, &mut tx, Some(user), Event::PasskeyRemoved { name: passkey.name }).await?;
    tx.commit().await?;
    Ok(Toast::PasskeyRemoved.redirect(&app.site, HERE))
}

/// A form that says everything by where it is posted to.
#[derive(Deserialize)]
struct Nothing {}

fn at(id: PasskeyId) -> String {
    format!("{HERE}/{id}")
}

/// `refused`: what was typed as its name, and what is wrong with it.
async fn show_one(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    id: PasskeyId,
    status: StatusCode,
    refused: Option<(&str, &'static str)>,
) -> Result<Response, PageError> {
    let session = session::recent(app, headers, &at(id)).await?;
    let mut conn = app.db.read().await?;
    let Some(passkey) = passkeys::find(&mut conn, session.user_id, id).await? else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let last_way = factors::ways_in(app, &mut conn, session.user_id).await? == 1;
    drop(conn);
    let shown = &Shown::new(app, passkey);
    let frame = &Frame::new(app, headers, page, &session, Section::Security);
    let (name, problem) = match refused {
        Some((typed, problem)) => (typed, Some(problem)),
        None => (shown.passkey.name.as_str(), None),
    };
    Ok(frame.answer(status, &One { frame, shown, last_way, name, problem }))
}

/// A name as typed, which may be empty; or what is wrong with it.
fn check_name(typed: &str) -> Result<&str, &'static str> {
    let name = typed.trim();
    if name.chars().count() > MAX_NAME {
        Err("Use at most 60 characters.")
    } else if name.chars().any(char::is_control) {
        Err("The name holds a character that cannot be shown.")
    } else {
        Ok(name)
    }
}

/// What an authenticator is asked, for the page's script.
fn asked(options: Option<impl Serialize>) -> Response {
    match options {
        Some(options) => ([(header::CACHE_CONTROL, "no-store")], axum::Json(options)).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn too_many(wait: Wait) -> Response {
    tracing::info!(rule = "throttle", "refused a challenge: too many were asked for");
    refusals::refused("log-in", "throttle");
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, wait.retry_after())]).into_response()
}
