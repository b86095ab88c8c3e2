//! Keeping an account that is to be deleted: all that a log-in leads to until the grace period is over.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    pages::{Page, Protected},
    place::Place,
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use super::{
    gate,
    home::day,
    journey::{Carried, Journey},
};
use crate::{
    App,
    audit::Event,
    error::PageError,
    store::{
        Tx, Words,
        restorations::{self, NewRestoration},
        sign_ins,
        users::{self, User},
    },
};

/// The cookie's purpose.
const COOKIE: &str = "restore";
const PREFIX: &str = "lkz_";
/// How long the answer may take.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
}

#[derive(Template)]
#[template(path = "restore.html")]
struct Restore<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    day: String,
}

/// Somebody has proved who they are whose account is to be deleted: they are asked, and get no session.
pub(super) async fn offer(
    app: &App,
    mut tx: Tx,
    person: &User,
    amr: &Words,
    journey: &Journey,
) -> Result<Response, PageError> {
    let token = secret::generate(PREFIX);
    let new = NewRestoration {
        token_hash: &SecretHash::of(token.expose_secret()),
        user_id: person.id,
        amr,
        expires_at: app.clock.now() + LIFETIME,
    };
    restorations::insert(&mut tx, &new).await?;
    tx.commit().await?;
    tracing::info!(user.id = %person.id, "user {} is asked whether to keep the account", person.id);
    let cookie = app.site.set_cookie(COOKIE, token.expose_secret(), Some(LIFETIME.num_seconds()));
    let next = Redirect::to(&journey.by("/login/restore"));
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), next).into_response())
}

/// `GET /login/restore`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let Some(delete_at) = waiting(&app, &headers).await? else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let restore = Restore { place: &app.place, page: &page, journey: &journey, day: day(&delete_at) };
    Ok(journey.page(StatusCode::OK, &restore))
}

/// `POST /login/restore`: the account is as it was, and its person logged in.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let token = app.site.cookie(&headers, COOKIE).unwrap_or_default();
    let mut tx = app.db.write().await?;
    let spent = restorations::spend(&mut tx, &SecretHash::of(&token), app.clock.now()).await?;
    let Some((user_id, amr)) = spent else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let kept = users::keep(&mut tx, user_id, app.clock.now()).await?;
    let Some(person) = users::find(&mut tx, user_id).await?.filter(|_| kept) else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    sign_ins::end_all(&mut tx, user_id).await?;
    let entered =
        gate::enter(&app, tx, &person, (&amr, app.clock.now()), vec![Event::AccountKept], &journey, &headers)
            .await?;
    let cookie = app.site.set_cookie(COOKIE, "", Some(0));
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), entered).into_response())
}

/// When the account of whoever is asked in this browser will be deleted.
async fn waiting(app: &App, headers: &HeaderMap) -> Result<Option<DateTime<Utc>>, PageError> {
    let token = app.site.cookie(headers, COOKIE).unwrap_or_default();
    let mut conn = app.db.read().await?;
    Ok(restorations::find(&mut conn, &SecretHash::of(&token), app.clock.now()).await?)
}
