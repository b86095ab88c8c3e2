//! The front door, and the account's own page.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    pages::{Page, render},
    place::Place,
};
use url::form_urlencoded;

use super::{
    frame::{Frame, Section},
    security::{self, Row},
    session,
};
use crate::{
    App,
    error::PageError,
    oauth2::redirect_uri,
    store::{clients, sessions},
};

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    place: &'a Place,
    sign_up: bool,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    frame: &'a Frame<'a>,
    since: String,
    /// How the account is protected.
    security: Vec<Row>,
    /// Where the person is logged in, here included.
    devices: usize,
    apps: Vec<Startable>,
}

/// An app that a log-in can begin at.
struct Startable {
    name: String,
    host: String,
    address: String,
}

/// `GET /`
pub async fn landing(State(app): State<App>, headers: HeaderMap) -> Result<Response, PageError> {
    if session::current(&app, &headers).await?.is_some() {
        return Ok(Redirect::to("/account").into_response());
    }
    Ok(render(Landing { place: &app.place, sign_up: app.config.sign_up }.render()))
}

/// `GET /account`
pub async fn account(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, "/account").await?;
    let since = ago(app.clock.now() - session.auth_time);
    let mut conn = app.db.read().await?;
    let apps = clients::list_startable(&mut conn, session.user_id).await?;
    let apps = apps.into_iter().map(|(name, uri)| Startable {
        name,
        host: redirect_uri::shown_host(&uri),
        address: begun_here(&uri, &app.config.issuer),
    });
    let apps = apps.collect();
    let security = security::rows(&app, &mut conn, session.user_id).await?;
    let devices = sessions::list_live(&mut conn, session.user_id, app.moment()).await?.len();
    drop(conn);
    let frame = Frame::new(&app, &headers, &page, &session, Section::Overview);
    Ok(frame.answer(StatusCode::OK, &Account { frame: &frame, since, security, devices, apps }))
}

/// OpenID Connect Core §4: the app is told which provider asks it to log the person in.
fn begun_here(uri: &str, issuer: &str) -> String {
    let iss = form_urlencoded::Serializer::new(String::new()).append_pair("iss", issuer).finish();
    format!("{uri}{}{iss}", if uri.contains('?') { '&' } else { '?' })
}

/// For `<time datetime=…>`.
pub(super) fn iso(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// For the eyes, when one asks exactly.
pub fn full(time: &DateTime<Utc>) -> String {
    time.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// When the hour says nothing.
pub(super) fn day(time: &DateTime<Utc>) -> String {
    time.format("%-d %B %Y").to_string()
}

/// `5 minutes ago`
pub(super) fn ago(past: TimeDelta) -> String {
    let (count, unit) = match past.num_minutes() {
        ..1 => return "just now".to_owned(),
        minutes @ 1..60 => (minutes, "minute"),
        _ if past.num_hours() < 24 => (past.num_hours(), "hour"),
        _ => (past.num_days(), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_times_are_said_as_people_say_them() {
        let said = [(0, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (86400 * 3, "3 days ago")];
        for (seconds, words) in said {
            assert_eq!(ago(TimeDelta::seconds(seconds)), words);
        }
    }
}
