//! Recovery codes on a person's own pages: how many are left, and new ones.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected, render},
    place::Place,
};
use serde::de::IgnoredAny;

use super::{
    factors::{RecoveryCode, enrolled, recovery_code},
    frame::{Frame, Section},
    security, session,
};
use crate::{
    App, audit,
    audit::Event,
    error::PageError,
    store::{recovery_codes, users},
};

const HERE: &str = "/account/recovery-codes";

/// Once, after they were made.
#[derive(Template)]
#[template(path = "recovery_codes_shown.html")]
pub struct Shown<'a> {
    pub place: &'a Place,
    pub page: &'a Page,
    pub codes: &'a [RecoveryCode],
    /// Where the person goes on.
    pub next: String,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct RecoveryCodes<'a> {
    frame: &'a Frame<'a>,
    left: i64,
}

/// `GET /account/recovery-codes`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    if !enrolled(&app, &mut conn, session.user_id).await?.has_second() {
        return Ok(Redirect::to(security::HERE).into_response());
    }
    let left = recovery_codes::count(&mut conn, session.user_id).await?;
    let frame = Frame::new(&app, &headers, &page, &session, Section::Security);
    Ok(frame.answer(StatusCode::OK, &RecoveryCodes { frame: &frame, left }))
}

/// `POST /account/recovery-codes`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(_): Protected<IgnoredAny>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    users::lock(&mut tx, session.user_id).await?;
    if !enrolled(&app, &mut tx, session.user_id).await?.has_second() {
        return Ok(Redirect::to(security::HERE).into_response());
    }
    let codes = recovery_code::replace(&app, &mut tx, session.user_id).await?;
    audit::record(&app, &mut tx, Some(session.user_id), Event::RecoveryCodesMade).await?;
    tx.commit().await?;
    let next = security::HERE.to_owned();
    Ok(render(Shown { place: &app.place, page: &page, codes: &codes, next }.render()))
}
