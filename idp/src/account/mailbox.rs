//! Mail while there is no mail server: on this machine only, what would have been sent is shown.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use platform::{pages::render, place::Place};

use super::home::{ago, full, iso};
use crate::{App, mail::Shown};

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Mailbox<'a> {
    place: &'a Place,
    /// With how long ago each is.
    mails: Vec<(Shown, String)>,
}

/// `GET /dev/mail`
pub async fn get(State(app): State<App>) -> Response {
    let Some(mails) = app.mail.shown() else { return StatusCode::NOT_FOUND.into_response() };
    let now = app.clock.now();
    let mails = mails.into_iter().map(|shown| {
        let since = ago(now - shown.at);
        (shown, since)
    });
    render(Mailbox { place: &app.place, mails: mails.collect() }.render())
}
