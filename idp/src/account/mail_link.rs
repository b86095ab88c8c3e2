//! What a link in a mail opens. Opening one spends nothing (mail programs and filters open links, too): its secret
//! goes into a cookie at once and out of the address, where histories and other pages could find it.

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{pages::render, place::Place, secret::SecretHash};
use serde::Deserialize;

use crate::{App, mail};

/// The cookie's purpose. One link is open in a browser at a time.
const COOKIE: &str = "mail_link";
/// As long as the shortest link is good. Seconds.
const MAX_AGE: i64 = 3600;

/// What a link brings along.
#[derive(Deserialize)]
pub struct Opened {
    token: Option<String>,
}

/// A form without fields: its button says it all.
#[derive(Deserialize)]
pub struct Nothing {}

impl Opened {
    /// `<here>?token=<secret>` leads on to `here`, which finds the secret by [`opened`].
    pub fn redirect(&self, app: &App, here: &str) -> Option<Response> {
        let token = self.token.as_deref()?;
        // Only what could be one is worth a cookie.
        let fine = token.starts_with(mail::PREFIX)
            && token.len() < 64
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let cookie = app.site.set_cookie(COOKIE, if fine { token } else { "" }, Some(MAX_AGE));
        let headers = [
            (header::SET_COOKIE, cookie),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        Some((headers, Redirect::to(here)).into_response())
    }
}

/// The secret of the link that was opened in this browser.
pub fn opened(app: &App, headers: &HeaderMap) -> Option<SecretHash> {
    app.site
        .cookie(headers, COOKIE)
        .filter(|token| token.starts_with(mail::PREFIX))
        .map(|token| SecretHash::of(&token))
}

/// The link was used.
pub fn close(app: &App, mut response: Response) -> Response {
    let cookie = app.site.set_cookie(COOKIE, "", Some(0));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// A page that says how something went, and where to go on.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    pub place: &'a Place,
    pub title: &'a str,
    pub text: &'a str,
    /// A path of ours, and what it is called.
    pub next: Option<(String, &'a str)>,
}

impl Message<'_> {
    pub fn page(&self) -> Response {
        render(self.render())
    }
}
