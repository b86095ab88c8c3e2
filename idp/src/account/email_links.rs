//! Links that whoever reads the mail may use, logged in or not: to confirm an address, to take one back, to make an
//! account. Each opens a page with one button, and only that does anything.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use platform::{
    pages::{Page, Protected, render},
    place::Place,
};

use super::{
    journey::{Carried, Journey},
    mail_link::{self, Message, Nothing, Opened},
};
use crate::{
    App, admin, audit,
    audit::Event,
    config,
    error::PageError,
    refusals,
    store::{
        factors, mail_links,
        mail_links::Purpose,
        outbox::{self, Addressee, Letter},
        sign_ups, users,
        users::NewUser,
    },
};

const CONFIRM: &str = "/email/confirm";
const TAKE_BACK: &str = "/email/take-back";
const SIGN_UP: &str = "/signup/confirm";

/// What a page asks before a link is spent.
pub struct Button<'a> {
    pub title: &'a str,
    pub text: &'a str,
    pub email: &'a str,
    pub action: &'a str,
    pub label: &'a str,
}

#[derive(Template)]
#[template(path = "press.html")]
struct Press<'a> {
    place: &'a Place,
    page: &'a Page,
    button: &'a Button<'a>,
}

pub fn press(app: &App, page: &Page, button: &Button<'_>) -> Response {
    render(Press { place: &app.place, page, button }.render())
}

/// `GET /email/confirm[?token=<secret>]`
pub async fn open_confirm(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Result<Response, PageError> {
    if let Some(redirect) = opened.redirect(&app, CONFIRM) {
        return Ok(redirect);
    }
    let email = address(&app, &headers, Purpose::Confirm).await?;
    Ok(press(
        &app,
        &page,
        &Button {
            title: "Confirm your address?",
            text: "Go on only if you made the account that has it.",
            email: &email,
            action: CONFIRM,
            label: "Confirm",
        },
    ))
}

/// `POST /email/confirm`
pub async fn confirm(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let link = mail_links::spend(&mut tx, &token, Purpose::Confirm, None, now).await?;
    let Some(link) = link else { return Err(PageError::Link) };
    users::confirm_email(&mut tx, link.user_id, now).await?;
    audit::record(&app, &mut tx, Some(link.user_id), Event::EmailVerified).await?;
    tx.commit().await?;
    let message = Message {
        place: &app.place,
        title: "Your address is confirmed",
        text: "You can go on where you were, or log in.",
        next: Some(("/account".to_owned(), "Go to your account")),
    };
    Ok(mail_link::close(&app, message.page()))
}

/// `GET /email/unconfirmed`: where a log-in ends whose address is not confirmed.
pub async fn unconfirmed(
    State(app): State<App>,
    page: Page,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let message = Message {
        place: &app.place,
        title: "Confirm your address first",
        text: "We have sent a mail to the address of your account. Use the link in it, then log in again. Look among the spam, too.",
        next: Some((journey.by("/login"), "Log in")),
    };
    Ok(message.page())
}

/// `GET /email/take-back[?token=<secret>]`
pub async fn open_take_back(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Result<Response, PageError> {
    if let Some(redirect) = opened.redirect(&app, TAKE_BACK) {
        return Ok(redirect);
    }
    let email = address(&app, &headers, Purpose::TakeBack).await?;
    Ok(press(
        &app,
        &page,
        &Button {
            title: "Take your address back?",
            text: "Your account gets this address again, everybody is logged out of it, and its password is no longer good. You are mailed a link to choose a new one.",
            email: &email,
            action: TAKE_BACK,
            label: "Take it back",
        },
    ))
}

/// `POST /email/take-back`
pub async fn take_back(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let link = mail_links::spend(&mut tx, &token, Purpose::TakeBack, None, now).await?;
    let Some(link) = link else { return Err(PageError::Link) };
    if !users::set_email(&mut tx, link.user_id, &link.email, &link.email_normalized, now).await? {
        tracing::error!(user.id = %link.user_id, "an address could not be taken back: somebody else has it");
        return Err(PageError::Link);
    }
    mail_links::void_since(&mut tx, link.user_id, link.created_at).await?;
    // Whoever changed the address may have seen to it that they get in again, ever since they were in.
    let since = link.created_at - config::seconds(app.config.sessions.lifetime);
    factors::forget(&mut tx, link.user_id, since).await?;
    factors::unlink(&mut tx, link.user_id, since).await?;
    users::remove_password(&mut tx, link.user_id, now).await?;
    admin::users::end_everything(&mut tx, link.user_id, now).await?;
    outbox::insert(&mut tx, Addressee::User(link.user_id), &Letter::Reset, now).await?;
    for event in [Event::EmailTakenBack, Event::CredentialsReset] {
        audit::record(&app, &mut tx, Some(link.user_id), event).await?;
    }
    tx.commit().await?;
    app.session_ended.notify_one();
    app.mail_owed.notify_one();
    let message = Message {
        place: &app.place,
        title: "Your address is yours again",
        text: "Everybody was logged out. We have sent you a mail with a link to choose a new password.",
        next: None,
    };
    Ok(mail_link::close(&app, message.page()))
}

/// `GET /signup/confirm[?token=<secret>]`
pub async fn open_sign_up(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Result<Response, PageError> {
    if let Some(redirect) = opened.redirect(&app, SIGN_UP) {
        return Ok(redirect);
    }
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let mut conn = app.db.read().await?;
    let sign_up = sign_ups::find(&mut conn, &token, app.clock.now()).await?.ok_or(PageError::Link)?;
    Ok(press(
        &app,
        &page,
        &Button {
            title: "Make your account?",
            text: "Go on only if it was you who signed up with this address, and with a password that only you know.",
            email: &sign_up.email,
            action: SIGN_UP,
            label: "Make my account",
        },
    ))
}

/// `POST /signup/confirm`
pub async fn sign_up(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(sign_up) = sign_ups::spend(&mut tx, &token, now).await? else { return Err(PageError::Link) };
    let new = NewUser {
        email: &sign_up.email,
        email_normalized: &sign_up.email_normalized,
        name: &sign_up.name,
        password_hash: Some(&sign_up.password_hash),
    };
    let Some(id) = users::insert(&mut tx, new, now).await? else {
        tracing::info!(rule = "address taken", "refused to make an account");
        refusals::refused("sign-up", "address taken");
        return Err(PageError::Link);
    };
    users::confirm_email(&mut tx, id, now).await?;
    audit::record(&app, &mut tx, Some(id), Event::SignedUp).await?;
    tx.commit().await?;
    let message = Message {
        place: &app.place,
        title: "Your account is made",
        text: "Log in with your address and your password.",
        next: Some(("/login".to_owned(), "Log in")),
    };
    Ok(mail_link::close(&app, message.page()))
}

/// The address that an open link is about.
async fn address(app: &App, headers: &HeaderMap, purpose: Purpose) -> Result<String, PageError> {
    let token = mail_link::opened(app, headers).ok_or(PageError::Link)?;
    let mut conn = app.db.read().await?;
    let link = mail_links::find(&mut conn, &token, purpose, app.clock.now()).await?;
    Ok(link.ok_or(PageError::Link)?.email)
}
