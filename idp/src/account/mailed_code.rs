//! Log-in by a code that is mailed: six digits, good once, for ten minutes, in the browser that asked.

use std::fmt;

use askama::Template;
use aws_lc_rs::hmac;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::{
    pages::{Page, Protected},
    place::Place,
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use super::{
    factors::Method,
    gate::{self, Arrival},
    journey::{Carried, Journey},
    proof,
    recovery::{Problem, admit},
    session,
};
use crate::{
    App, audit,
    audit::Event,
    error::PageError,
    refusals,
    store::{
        mailed_codes,
        outbox::{self, Addressee, Letter},
        users,
    },
};

/// The cookie's purpose. It names the code that this browser asked for.
const COOKIE: &str = "mailed_code";
const PREFIX: &str = "lkh_";
/// As long as a code is good. Seconds.
const MAX_AGE: i64 = 600;
const DIGITS: usize = 6;

/// Six digits. Its `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Code").finish_non_exhaustive()
    }
}

impl Code {
    #[must_use]
    pub fn generate() -> Self {
        loop {
            let number = u32::from_be_bytes(secret::random());
            // The largest multiple of a million in 32 bits: every code is as likely as any other.
            if number < 4_294_000_000 {
                return Self(format!("{:0DIGITS$}", number % 1_000_000));
            }
        }
    }

    /// As people type it: spaces do not count. `None` for what cannot be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let code: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
        (code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self(code))
    }

    /// Under a key of ours: whoever stole the database alone would find a plain hash by trying all codes.
    #[must_use]
    pub fn hash(&self, app: &App, handle: &SecretHash) -> SecretHash {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.mailed_code);
        let message = format!("{}\n{}", handle.to_base64url(), self.0);
        SecretHash::of(&URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    carried: Carried,
    email: String,
}

#[derive(Deserialize)]
pub struct Entered {
    #[serde(flatten)]
    carried: Carried,
    code: String,
}

#[derive(Template)]
#[template(path = "mailed_code.html")]
struct Ask<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    email: &'a str,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "mailed_code_enter.html")]
struct Enter<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    email: &'a str,
    problem: Option<&'static str>,
}

/// `GET /login/code`
pub async fn get(
    State(app): State<App>,
    page: Page,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let email = journey.login_hint().unwrap_or_default();
    let ask = Ask { place: &app.place, page: &page, journey: &journey, email, problem: None };
    Ok(journey.page(StatusCode::OK, &ask))
}

/// `POST /login/code`. Whether anybody has the address is found out when the mail is written, not here.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Asked>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let email = match admit(&app, &headers, &form.email).await? {
        Ok(email) => email,
        Err(problem) => {
            let (status, retry_after) = problem.answer();
            let problem = Some(problem);
            let ask = Ask { place: &app.place, page: &page, journey: &journey, email: &form.email, problem };
            return Ok((retry_after, journey.page(status, &ask)).into_response());
        }
    };
    let now = app.clock.now();
    let handle = secret::generate(PREFIX);
    let hash = SecretHash::of(handle.expose_secret());
    let letter = Letter::Code(hash.to_base64url());
    let mut tx = app.db.write().await?;
    mailed_codes::insert(&mut tx, &hash, &page.browser, &email.typed, &email.normalized, now).await?;
    outbox::insert(&mut tx, Addressee::Holder(&email.normalized), &letter, now).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    let cookie = app.site.set_cookie(COOKIE, handle.expose_secret(), Some(MAX_AGE));
    let next = Redirect::to(&journey.by("/login/code/enter"));
    Ok(([(header::SET_COOKIE, cookie)], next).into_response())
}

/// `GET /login/code/enter`
pub async fn enter(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let Some((_, email)) = asked(&app, &headers, &page).await? else {
        return Ok(Redirect::to(&journey.by("/login/code")).into_response());
    };
    Ok(show(&app, &page, &journey, &email, None))
}

/// `POST /login/code/enter`. A try is counted whether or not anybody has the address.
pub async fn log_in(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Entered>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let Some((handle, email)) = asked(&app, &headers, &page).await? else {
        return Ok(Redirect::to(&journey.by("/login/code")).into_response());
    };
    let refuse = |problem| Ok(show(&app, &page, &journey, &email, Some(problem)));
    let Some(code) = Code::parse(&form.code) else {
        return refuse("Enter the six digits that you were mailed.");
    };
    let now = app.clock.now();
    // Before the transaction begins: a session that is looked up is also touched.
    let session = session::current(&app, &headers).await?;
    let mut tx = app.db.write().await?;
    if !mailed_codes::count(&mut tx, &handle, &page.browser, now).await? {
        tracing::info!(rule = "mailed code", "refused a code: tried too often");
        refusals::refused("log-in", "mailed code");
        return refuse("This code is no longer good. Ask for a new one.");
    }
    let hash = code.hash(&app, &handle);
    let holder = mailed_codes::spend(&mut tx, &handle, &page.browser, &hash, now).await?;
    let Some(user_id) = holder else {
        // Or the count would be undone.
        let failed = Event::LogInFailed { factor: Method::MailedCode.into() };
        audit::record(&app, &mut tx, None, failed).await?;
        tx.commit().await?;
        tracing::info!(rule = "mailed code", "refused a code: not the one that was mailed");
        refusals::refused("log-in", "mailed code");
        return refuse("This is not the code that you were mailed. Check it and try again.");
    };
    let proved = match users::find(&mut tx, user_id).await? {
        Some(person) => {
            let maker = session.is_some_and(|session| session.user_id == user_id);
            proof::of_address(&app, &mut tx, &person, maker).await?
        }
        None => Vec::new(),
    };
    let arrival = Arrival { user: user_id, method: Method::MailedCode, auth_time: None, by: proved };
    let entered = gate::arrived(&app, tx, arrival, &journey, &headers, &page).await?;
    let Some(mut response) = entered else {
        return refuse("This code is no longer good. Ask for a new one.");
    };
    response.headers_mut().append(header::SET_COOKIE, app.site.set_cookie(COOKIE, "", Some(0)));
    Ok(response)
}

/// The code that this browser has asked for, and with which address.
async fn asked(
    app: &App,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Option<(SecretHash, String)>, PageError> {
    let Some(handle) = app.site.cookie(headers, COOKIE).filter(|handle| handle.starts_with(PREFIX)) else {
        return Ok(None);
    };
    let handle = SecretHash::of(&handle);
    let mut conn = app.db.read().await?;
    let email = mailed_codes::find_email(&mut conn, &handle, &page.browser, app.clock.now()).await?;
    Ok(email.map(|email| (handle, email)))
}

fn show(app: &App, page: &Page, journey: &Journey, email: &str, problem: Option<&'static str>) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    journey.page(status, &Enter { place: &app.place, page, journey, email, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        for typed in ["012345", " 012 345\n", "0 1 2 3 4 5"] {
            assert_eq!(Code::parse(typed), Some(Code("012345".to_owned())), "{typed:?}");
        }
        for wrong in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-12345"] {
            assert_eq!(Code::parse(wrong), None, "{wrong:?}");
        }
        assert!((0..100).all(|_| Code::parse(&Code::generate().to_string()).is_some()));
    }
}
