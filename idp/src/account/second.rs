//! The second step of a log-in: a code of an authenticator app, or a recovery code.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
};
use serde::Deserialize;

use super::{
    factors::{Enrolled, Method, RecoveryCode, TotpSecret},
    gate,
    journey::{Carried, Journey},
    throttle,
};
use crate::{
    App, audit,
    audit::Event,
    error::PageError,
    refusals,
    store::{self, Tx, UserId, recovery_codes, sign_ins, totp_secrets},
};

const HERE: &str = "/login/second";
/// Wrong codes that one log-in survives.
const MOST: i64 = 10;

#[derive(Deserialize)]
pub struct Parameters {
    #[serde(flatten)]
    carried: Carried,
    with: Option<With>,
}

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
    with: Option<With>,
    code: String,
}

/// What the person has at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum With {
    App,
    Recovery,
    Passkey,
}

impl With {
    /// What the page asks for.
    fn of(wished: Option<Self>, enrolled: Enrolled) -> Self {
        match wished {
            Some(Self::Recovery) => Self::Recovery,
            Some(Self::App) | None if enrolled.totp => Self::App,
            _ if enrolled.passkeys => Self::Passkey,
            _ => Self::App,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::App => Method::Totp,
            Self::Recovery => Method::RecoveryCode,
            Self::Passkey => Method::Passkey { user_verified: true },
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::App => "Enter your code",
            Self::Recovery => "Use a recovery code",
            Self::Passkey => "Use your passkey",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::App => "Code",
            Self::Recovery | Self::Passkey => "Recovery code",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::App => "Six digits that your authenticator app shows.",
            Self::Recovery | Self::Passkey => "One of those that you kept. Each is good once.",
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::App => "This code is not right, or was used before. Enter the one that your app shows now.",
            Self::Recovery => "This is none of your recovery codes, or it was used before.",
            Self::Passkey => "This passkey was not accepted. Try again, or use a recovery code.",
        }
    }
}

enum Problem {
    /// Of what was entered.
    Code(&'static str),
    Passkey,
    Throttled(throttle::Wait),
}

#[derive(Template)]
#[template(path = "second.html")]
struct Second<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    with: With,
    enrolled: Enrolled,
    problem: Option<Problem>,
}

/// `GET /login/second[?with=recovery]`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(Parameters { carried, with }): Query<Parameters>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    match gate::waiting(&app, &journey, HERE, &headers, &page).await? {
        Ok((_, enrolled)) => Ok(show(&app, &page, &journey, enrolled, with, None)),
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /login/second`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let again = || Ok(Redirect::to(&journey.by("/login")).into_response());
    if gate::pending(&app, &headers, &page).await?.is_none() {
        return again();
    }
    let (sign_in, enrolled) = match gate::waiting(&app, &journey, HERE, &headers, &page).await? {
        Ok(waiting) => waiting,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let refuse = |problem| Ok(show(&app, &page, &journey, enrolled, form.with, Some(problem)));
    if form.code.trim().is_empty() {
        return refuse(Problem::Code("Enter the code."));
    }
    let user = sign_in.user_id;
    refusals::user(user);
    let attempt = match throttle::second_factor(&app, &headers, user, &sign_in.email).await? {
        Ok(attempt) => attempt,
        Err(wait) => {
            tracing::info!(rule = "throttle", user.id = %user, "refused a second factor: too many attempts");
            refusals::refused("log-in", "throttle");
            return refuse(Problem::Throttled(wait));
        }
    };
    let with = With::of(form.with, enrolled);
    let mut tx = app.db.write().await?;
    let Some(attempts) = sign_ins::count(&mut tx, &sign_in.token_hash, app.clock.now()).await? else {
        return again();
    };
    if is_right(&app, &mut tx, user, with, &form.code).await? {
        attempt.succeeded(&mut tx).await?;
        let entered = gate::second(&app, tx, &sign_in, with.method(), &journey, &headers).await?;
        return entered.map_or_else(again, Ok);
    }
    tracing::info!(rule = "second factor", user.id = %user, ?with, "refused a second factor of user {user}");
    refusals::refused("log-in", "second factor");
    let over = attempts >= MOST;
    if over {
        sign_ins::spend(&mut tx, &sign_in.token_hash, app.clock.now()).await?;
    }
    let failed = Event::SecondFactorFailed { factor: with.method().into() };
    audit::record(&app, &mut tx, Some(user), failed).await?;
    tx.commit().await?;
    if over {
        return again();
    }
    refuse(Problem::Code(with.refusal()))
}

/// Whether a code is one of the person's; it is spent.
async fn is_right(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    with: With,
    typed: &str,
) -> Result<bool, store::Error> {
    match with {
        With::App => {
            let Some(sealed) = totp_secrets::find(tx, user).await? else { return Ok(false) };
            let Some(secret) = TotpSecret::open(app, user, sealed.clone()) else {
                tracing::error!(user.id = %user, "the secret of an app was encrypted with another master.secret");
                return Ok(false);
            };
            match secret.step_of(typed, app.clock.now()) {
                Some(step) => totp_secrets::accept(tx, user, &sealed, step).await,
                None => Ok(false),
            }
        }
        With::Recovery => match RecoveryCode::parse(typed) {
            Some(code) => recovery_codes::spend(tx, user, &code.hash(app, user)).await,
            None => Ok(false),
        },
        // Proved where it is asked for ([`super::passkeys`]).
        With::Passkey => Ok(false),
    }
}

/// The page again, after a passkey was not accepted.
pub async fn refuse(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    journey: &Journey,
) -> Result<Response, PageError> {
    Ok(match gate::waiting(app, journey, HERE, headers, page).await? {
        Ok((_, enrolled)) => show(app, page, journey, enrolled, None, Some(Problem::Passkey)),
        Err(elsewhere) => elsewhere,
    })
}

fn show(
    app: &App,
    page: &Page,
    journey: &Journey,
    enrolled: Enrolled,
    wished: Option<With>,
    problem: Option<Problem>,
) -> Response {
    let (status, retry_after) = match &problem {
        None => (StatusCode::OK, None),
        Some(Problem::Code(_) | Problem::Passkey) => (StatusCode::UNPROCESSABLE_ENTITY, None),
        Some(Problem::Throttled(wait)) => (StatusCode::TOO_MANY_REQUESTS, Some(wait.retry_after())),
    };
    let with = With::of(wished, enrolled);
    let second = Second { place: &app.place, page, journey, with, enrolled, problem };
    let mut response = journey.page(status, &second);
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}
