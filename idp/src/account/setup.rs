//! Setting up an authenticator app; and doing so on the way in, where a second factor is demanded and the person has
//! none.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use platform::{
    pages::{Page, Protected},
    place::Place,
};
use serde::Deserialize;

use super::{
    factors::{
        Method, RecoveryCode, TotpSecret, enrolled,
        qr_code::{self, Drawing},
        recovery_code,
    },
    gate,
    journey::{Carried, Journey},
    recovery_codes::Shown,
};
use crate::{
    App, audit,
    audit::{Event, Factor},
    error::PageError,
    store::{self, Tx, UserId, recovery_codes, totp_secrets, totp_setups, users},
};

const HERE: &str = "/login/setup";
/// How long somebody may take to find a phone and enter a first code.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// What is shown of an app that is set up.
pub struct Setup {
    pub drawing: Option<Drawing>,
    /// To be typed.
    pub key: String,
}

impl Setup {
    /// The one that this browser shows already, or a new one.
    pub async fn begin(app: &App, user: UserId, email: &str, page: &Page) -> Result<Self, PageError> {
        let (now, new) = (app.clock.now(), TotpSecret::generate().seal(app, user));
        let mut tx = app.db.write().await?;
        let sealed = totp_setups::insert(&mut tx, user, &page.browser, &new, now, now + PATIENCE).await?;
        tx.commit().await?;
        let secret = TotpSecret::open(app, user, sealed).ok_or(PageError::Gone)?;
        Ok(Self { drawing: qr_code::draw(&secret.uri(&app.config.name, email)), key: secret.shown() })
    }
}

/// Why an app is not on yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {
    /// The code is not one of the key that this browser shows.
    Wrong,
    /// This browser shows no key any more.
    Gone,
}

impl NotYet {
    pub fn text(self) -> &'static str {
        match self {
            Self::Wrong => {
                "This is not the code that belongs to the key. Enter the one that your app shows now."
            }
            Self::Gone => "The key that was shown here has expired. Add the new one to your app.",
        }
    }
}

/// Turns an app on by its first code, and makes recovery codes for who has none.
pub async fn confirm(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    page: &Page,
    typed: &str,
) -> Result<Result<Vec<RecoveryCode>, NotYet>, store::Error> {
    let now = app.clock.now();
    users::lock(tx, user).await?;
    let Some(sealed) = totp_setups::find(tx, user, &page.browser, now).await? else {
        return Ok(Err(NotYet::Gone));
    };
    let Some(secret) = TotpSecret::open(app, user, sealed.clone()) else { return Ok(Err(NotYet::Gone)) };
    let Some(step) = secret.step_of(typed, now) else { return Ok(Err(NotYet::Wrong)) };
    if !totp_setups::redeem(tx, user, &page.browser, &sealed, now).await? {
        return Ok(Err(NotYet::Gone));
    }
    totp_secrets::put(tx, user, &sealed, step, now).await?;
    audit::record(app, tx, Some(user), Event::FactorAdded { factor: Factor::Totp }).await?;
    if recovery_codes::count(tx, user).await? > 0 {
        return Ok(Ok(Vec::new()));
    }
    recovery_code::replace(app, tx, user).await.map(Ok)
}

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
    code: String,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct OnTheWay<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    setup: &'a Setup,
    problem: Option<&'static str>,
}

/// `GET /login/setup`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    match gate::waiting(&app, &journey, HERE, &headers, &page).await? {
        Ok((sign_in, _)) => show(&app, &page, &journey, sign_in.user_id, &sign_in.email, None).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /login/setup`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let Some(sign_in) = gate::pending(&app, &headers, &page).await? else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let user = sign_in.user_id;
    let mut tx = app.db.write().await?;
    users::lock(&mut tx, user).await?;
    // Who has a second factor proves it: a new one is no way around it.
    if enrolled(&app, &mut tx, user).await?.has_second() {
        return Ok(Redirect::to(&journey.by("/login/second")).into_response());
    }
    let codes = match confirm(&app, &mut tx, user, &page, &form.code).await? {
        Ok(codes) => codes,
        Err(reason) => {
            drop(tx);
            return show(&app, &page, &journey, user, &sign_in.email, Some(reason.text())).await;
        }
    };
    let entered = gate::second(&app, tx, &sign_in, Method::Totp, &journey, &headers).await?;
    let Some(entered) = entered else { return Ok(Redirect::to(&journey.by("/login")).into_response()) };
    // They are logged in; the codes come before where they are going.
    let next = entered.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    let next = next.map_or_else(|| journey.destination(), str::to_owned);
    let cookies = entered.headers().get_all(header::SET_COOKIE).iter();
    let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie.clone()));
    let shown = Shown { place: &app.place, page: &page, codes: &codes, next };
    Ok((AppendHeaders(cookies), journey.page(StatusCode::OK, &shown)).into_response())
}

async fn show(
    app: &App,
    page: &Page,
    journey: &Journey,
    user: UserId,
    email: &str,
    problem: Option<&'static str>,
) -> Result<Response, PageError> {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let setup = Setup::begin(app, user, email, page).await?;
    Ok(journey.page(status, &OnTheWay { place: &app.place, page, journey, setup: &setup, problem }))
}
