//! The address of an account: confirming it, and changing it for another one that has been confirmed.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{
    pages::{Page, Protected},
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use super::{
    email_links::{Button, press},
    frame::{Frame, Section},
    known_browser,
    mail_link::{self, Nothing, Opened},
    recovery::{Problem, admit},
    session,
    toast::Toast,
};
use crate::{
    App, audit,
    audit::Event,
    email::Email,
    error::PageError,
    refusals,
    store::{
        mail_links,
        mail_links::{MailLink, Purpose},
        outbox::{self, Addressee, Letter},
        sessions::Session,
        users,
    },
};

const HERE: &str = "/account/email";
const CONFIRM: &str = "/account/email/confirm";

#[derive(Deserialize)]
pub struct Form {
    email: String,
}

#[derive(Template)]
#[template(path = "email.html")]
struct Change<'a> {
    frame: &'a Frame<'a>,
    verified: bool,
    email: &'a str,
    problem: Option<Problem>,
}

/// `GET /account/email`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    show(&app, &page, &headers, &session, "", None).await
}

/// `POST /account/email`. Nothing changes before the new address is confirmed. Whether somebody else has it is found
/// out when the mail is written, and told to them.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let admitted = match admit(&app, &headers, &form.email).await? {
        Ok(email) if Email::parse(&session.email).as_ref() == Some(&email) => {
            Err(Problem::Email("This is your address already."))
        }
        admitted => admitted,
    };
    let email = match admitted {
        Ok(email) => email,
        Err(problem) => return show(&app, &page, &headers, &session, &form.email, Some(problem)).await,
    };
    let letter = Letter::ChangeEmail { to: email.typed };
    let mut tx = app.db.write().await?;
    outbox::insert(&mut tx, Addressee::User(session.user_id), &letter, app.clock.now()).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    Ok(Toast::NewEmailMailed.redirect(&app.site, HERE))
}

/// `POST /account/email/send`: the mail that confirms the address, once more.
pub async fn send(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    if let Err(problem) = admit(&app, &headers, &session.email).await? {
        return show(&app, &page, &headers, &session, "", Some(problem)).await;
    }
    let mut tx = app.db.write().await?;
    outbox::insert(&mut tx, Addressee::User(session.user_id), &Letter::Confirm, app.clock.now()).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    Ok(Toast::ConfirmationMailed.redirect(&app.site, HERE))
}

/// `GET /account/email/confirm[?token=<secret>]`, where the person who asked is logged in.
pub async fn open(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(opened): Query<Opened>,
) -> Result<Response, PageError> {
    if let Some(redirect) = opened.redirect(&app, CONFIRM) {
        return Ok(redirect);
    }
    let session = session::required(&app, &headers, CONFIRM).await?;
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let mut conn = app.db.read().await?;
    let link = mail_links::find(&mut conn, &token, Purpose::Change, app.clock.now()).await?;
    let link = link.filter(|link| link.user_id == session.user_id).ok_or(PageError::Link)?;
    Ok(press(
        &app,
        &page,
        &Button {
            title: "Use this address?",
            text: "From then on you log in with it, and mails about your account go there.",
            email: &link.email,
            action: CONFIRM,
            label: "Use this address",
        },
    ))
}

/// `POST /account/email/confirm`
pub async fn confirm(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, CONFIRM).await?;
    let token = mail_link::opened(&app, &headers).ok_or(PageError::Link)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let user_id = session.user_id;
    let link = mail_links::spend(&mut tx, &token, Purpose::Change, Some(user_id), now).await?;
    let Some(link) = link else { return Err(PageError::Link) };
    let Some(before) = users::find(&mut tx, user_id).await? else { return Err(PageError::Link) };
    if !users::set_email(&mut tx, user_id, &link.email, &link.email_normalized, now).await? {
        tracing::info!(rule = "address taken", user.id = %user_id, "refused a change of address");
        refusals::refused("account", "address taken");
        return Err(PageError::Link);
    }
    // Nobody has shown that the old address was theirs: whose it is gets no way into this account.
    if before.email_verified {
        // From this moment on it is kept for them; the link that takes it back is made when the mail is.
        let token = SecretHash::of(secret::generate("").expose_secret());
        let email_normalized = Email::parse(&before.email).map(|email| email.normalized).unwrap_or_default();
        let reserved = MailLink { user_id, email: before.email.clone(), email_normalized, created_at: now };
        mail_links::insert(&mut tx, &token, Purpose::TakeBack, &reserved).await?;
        let letter = Letter::EmailChanged { from: before.email, to: link.email.clone() };
        outbox::insert(&mut tx, Addressee::User(user_id), &letter, now).await?;
    }
    audit::record(&app, &mut tx, Some(user_id), Event::EmailChanged).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    let mut response = mail_link::close(&app, Toast::EmailChanged.redirect(&app.site, HERE));
    // Or the next log-in here would be one from a new browser.
    let cookie = known_browser::cookie(&app, &headers, &link.email_normalized);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn show(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    session: &Session,
    email: &str,
    problem: Option<Problem>,
) -> Result<Response, PageError> {
    let mut conn = app.db.read().await?;
    let verified = users::find(&mut conn, session.user_id).await?.is_some_and(|user| user.email_verified);
    let (status, retry_after) = problem.as_ref().map_or((StatusCode::OK, HeaderMap::new()), Problem::answer);
    let frame = Frame::new(app, headers, page, session, Section::Security);
    let response = frame.answer(status, &Change { frame: &frame, verified, email, problem });
    Ok((retry_after, response).into_response())
}
