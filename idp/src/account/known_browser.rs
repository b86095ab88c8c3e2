//! Browsers that an account was used in before. Whoever floods an account with wrong passwords slows
//! strangers down, not its owner.
//!
//! The cookie is `<id>.<HMAC-SHA256 of id and account>`: random, worth nothing but a counter of its own,
//! and nothing is stored.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{self, ExposeSecret};

use crate::App;

const COOKIE: &str = "device";
const MAX_AGE: i64 = 365 * 86400;

/// The id of this browser, when `account` (a normalised address) was used in it before.
pub fn id(app: &App, headers: &HeaderMap, account: &str) -> Option<String> {
    let cookie = app.site.cookie(headers, COOKIE)?;
    let (id, tag) = cookie.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&key(app), &message(id, account), &tag).ok()?;
    Some(id.to_owned())
}

/// Remembers that `account` is used in this browser.
pub fn cookie(app: &App, headers: &HeaderMap, account: &str) -> HeaderValue {
    let id = self::id(app, headers, account);
    let id = id.unwrap_or_else(|| secret::generate("").expose_secret().to_owned());
    let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key(app), &message(&id, account)));
    app.site.set_cookie(COOKIE, &format!("{id}.{tag}"), Some(MAX_AGE))
}

fn key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.device)
}

fn message(id: &str, account: &str) -> Vec<u8> {
    format!("{id}\n{account}").into_bytes()
}
