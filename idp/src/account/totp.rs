//! The authenticator app on a person's own pages: turned on, replaced and turned off.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::pages::{Page, Protected, render};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    factors::{self, Enrolled, Method, enrolled},
    frame::{Frame, Section},
    recovery_codes::Shown,
    security, session,
    setup::{self, Setup},
    toast::Toast,
};
use crate::{
    App, audit,
    audit::{Event, Factor},
    error::PageError,
    store::{sessions::Session, totp_secrets, users},
};

const HERE: &str = "/account/totp";

#[derive(Deserialize)]
pub struct Form {
    code: String,
}

#[derive(Template)]
#[template(path = "totp.html")]
struct Off<'a> {
    frame: &'a Frame<'a>,
    setup: &'a Setup,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "totp_on.html")]
struct On<'a> {
    frame: &'a Frame<'a>,
    /// The place demands a second factor, and this is the only one.
    needed: bool,
}

/// `GET /account/totp`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let enrolled = enrolled(&app, &mut conn, session.user_id).await?;
    drop(conn);
    if !enrolled.totp {
        return show(&app, &page, &headers, &session, None).await;
    }
    let frame = Frame::new(&app, &headers, &page, &session, Section::Security);
    Ok(frame.answer(StatusCode::OK, &On { frame: &frame, needed: is_needed(&app, enrolled) }))
}

/// `GET /account/totp/setup`: also for another phone instead of the one that is in use.
pub async fn setup(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, "/account/totp/setup").await?;
    show(&app, &page, &headers, &session, None).await
}

/// `POST /account/totp`: the first code of a new app.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    let codes = match setup::confirm(&app, &mut tx, session.user_id, &page, &form.code).await? {
        Ok(codes) => codes,
        Err(reason) => {
            drop(tx);
            return show(&app, &page, &headers, &session, Some(reason.text())).await;
        }
    };
    // They have just proved both: what asks for two factors need not ask again.
    let amr = Method::Totp.second(&session.amr);
    let (_, cookie) =
        session::start(&app, &mut tx, session.user_id, &amr, session.auth_time, &headers).await?;
    tx.commit().await?;
    let cookie = [(header::SET_COOKIE, cookie)];
    if codes.is_empty() {
        return Ok((cookie, Toast::TotpOn.redirect(&app.site, security::HERE)).into_response());
    }
    let next = security::HERE.to_owned();
    let shown = Shown { place: &app.place, page: &page, codes: &codes, next };
    Ok((cookie, render(shown.render())).into_response())
}

/// `POST /account/totp/off`
pub async fn off(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(_): Protected<IgnoredAny>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let user = session.user_id;
    let mut tx = app.db.write().await?;
    users::lock(&mut tx, user).await?;
    let before = enrolled(&app, &mut tx, user).await?;
    if is_needed(&app, before) {
        // The page has no such button.
        return Ok(Redirect::to(HERE).into_response());
    }
    if totp_secrets::delete(&mut tx, user).await? {
        factors::forget_recovery(&app, &mut tx, user).await?;
        audit::record(&app, &mut tx, Some(user), Event::FactorRemoved { factor: Factor::Totp }).await?;
    }
    tx.commit().await?;
    Ok(Toast::TotpOff.redirect(&app.site, security::HERE))
}

/// Whether a second factor is demanded of everybody, and there is none beside the app.
fn is_needed(app: &App, enrolled: Enrolled) -> bool {
    let mut others = enrolled;
    others.totp = false;
    app.config.require_second_factor && enrolled.totp && !others.has_second()
}

async fn show(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    session: &Session,
    problem: Option<&'static str>,
) -> Result<Response, PageError> {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let setup = Setup::begin(app, session.user_id, &session.email, page).await?;
    let frame = Frame::new(app, headers, page, session, Section::Security);
    Ok(frame.answer(status, &Off { frame: &frame, setup: &setup, problem }))
}
