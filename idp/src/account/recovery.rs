//! A new password for who has forgotten theirs: by a link to the address of the account, good once, for an hour, as
//! long as address and password stay what they are.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected, render},
    place::Place,
    secret::{SecretHash, SecretString},
};
use serde::Deserialize;

use super::{
    journey::{Carried, Journey},
    mail_link::{self, Message, Opened},
    proof,
    strength::{self, NewPassword, Refused},
    throttle,
};
use crate::{
    App, admin, audit,
    audit::Event,
    email::Email,
    error::PageError,
    refusals,
    store::{
        self, mail_links,
        mail_links::Purpose,
        outbox::{self, Addressee, Letter},
        users::{self, User},
    },
};

const RESET: &str = "/reset";

#[derive(Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    carried: Carried,
    email: String,
}

#[derive(Deserialize)]
pub struct Chosen {
    password: SecretString,
}

#[derive(Template)]
#[template(path = "forgot.html")]
struct Forgot<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    email: &'a str,
    problem: Option<Problem>,
}

/// Why a mail is not sent.
pub enum Problem {
    Email(&'static str),
    Throttled(throttle::Wait),
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset<'a> {
    place: &'a Place,
    page: &'a Page,
    email: &'a str,
    new_password: NewPassword<'a>,
}

/// `GET /forgot`
pub async fn get(
    State(app): State<App>,
    page: Page,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let email = journey.login_hint().unwrap_or_default();
    let forgot = Forgot { place: &app.place, page: &page, journey: &journey, email, problem: None };
    Ok(journey.page(StatusCode::OK, &forgot))
}

/// `POST /forgot`. Whether anybody has the address is found out when the mail is written, not here.
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
            let forgot =
                Forgot { place: &app.place, page: &page, journey: &journey, email: &form.email, problem };
            return Ok((retry_after, journey.page(status, &forgot)).into_response());
        }
    };
    let mut tx = app.db.write().await?;
    outbox::insert(&mut tx, Addressee::Holder(&email.normalized), &Letter::Reset, app.clock.now()).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    Ok(Redirect::to(&journey.by("/forgot/sent")).into_response())
}

/// `GET /forgot/sent`
pub async fn sent(
    State(app): State<App>,
    page: Page,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let message = Message {
        place: &app.place,
        title: "Check your mail",
        text: "If there is an account with this address, it gets a mail with a link to choose a new password. The link is good for one hour. Look among the spam, too.",
        next: Some((journey.by("/login"), "Back to the log-in")),
    };
    Ok(message.page())
}

/// `GET /reset[?token=<secret>]`
pub async fn open(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Result<Response, PageError> {
    if let Some(redirect) = opened.redirect(&app, RESET) {
        return Ok(redirect);
    }
    let (_, person) = whose(&app, &headers).await?;
    Ok(show(&app, &page, &person, None))
}

/// `POST /reset`
pub async fn choose_password(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Chosen>,
) -> Result<Response, PageError> {
    // Nothing is hashed for who has no link.
    let (token, person) = whose(&app, &headers).await?;
    let password = match strength::choose(&app, &form.password, [&person.name, &person.email]).await? {
        Ok(password) => password,
        Err(refused) => return Ok(show(&app, &page, &person, Some(&refused))),
    };
    let hash = app.passwords.hash(password).await?;

    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let link = mail_links::spend(&mut tx, &token, Purpose::Reset, None, now).await?;
    let Some(link) = link else { return Err(PageError::Link) };
    let proved = proof::of_address(&app, &mut tx, &person, false).await?;
    users::set_password(&mut tx, link.user_id, &hash, now).await?;
    admin::users::end_everything(&mut tx, link.user_id, now).await?;
    for event in proved.into_iter().chain([Event::PasswordReset]) {
        audit::record(&app, &mut tx, Some(link.user_id), event).await?;
    }
    tx.commit().await?;
    app.session_ended.notify_one();
    app.mail_owed.notify_one();
    let message = Message {
        place: &app.place,
        title: "Your password is changed",
        text: "You were logged out everywhere. From now on you log in with the new password.",
        next: Some(("/login".to_owned(), "Log in")),
    };
    Ok(mail_link::close(&app, message.page()))
}

/// An address that a mail may be asked for with, whoever has it.
pub async fn admit(
    app: &App,
    headers: &HeaderMap,
    typed: &str,
) -> Result<Result<Email, Problem>, store::Error> {
    let Some(email) = Email::parse(typed) else {
        return Ok(Err(Problem::Email(if typed.trim().is_empty() {
            "Enter your e-mail address."
        } else {
            "Enter an e-mail address, like name@example.com."
        })));
    };
    match throttle::mail(app, headers, &email.normalized).await? {
        Ok(_) => Ok(Ok(email)),
        Err(wait) => {
            tracing::info!(rule = "throttle", "refused to mail somebody: too many were asked for");
            refusals::refused("mail", "throttle");
            Ok(Err(Problem::Throttled(wait)))
        }
    }
}

impl Problem {
    pub fn answer(&self) -> (StatusCode, HeaderMap) {
        match self {
            Self::Email(_) => (StatusCode::UNPROCESSABLE_ENTITY, HeaderMap::new()),
            Self::Throttled(wait) => {
                let retry_after = [(header::RETRY_AFTER, wait.retry_after())];
                (StatusCode::TOO_MANY_REQUESTS, HeaderMap::from_iter(retry_after))
            }
        }
    }
}

async fn whose(app: &App, headers: &HeaderMap) -> Result<(SecretHash, User), PageError> {
    let token = mail_link::opened(app, headers).ok_or(PageError::Link)?;
    let mut conn = app.db.read().await?;
    let link = mail_links::find(&mut conn, &token, Purpose::Reset, app.clock.now()).await?;
    let link = link.ok_or(PageError::Link)?;
    let person = users::find(&mut conn, link.user_id).await?.ok_or(PageError::Link)?;
    Ok((token, person))
}

fn show(app: &App, page: &Page, person: &User, refused: Option<&Refused>) -> Response {
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let new_password = NewPassword { label: "New password", refused, focus: true };
    let reset = Reset { place: &app.place, page, email: &person.email, new_password };
    let mut response = render(reset.render());
    if response.status().is_success() {
        *response.status_mut() = status;
    }
    response
}
