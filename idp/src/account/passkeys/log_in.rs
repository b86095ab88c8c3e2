//! Logging in with a passkey: alone, as it is two factors in one, or after a password.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use platform::pages::{Page, Protected};
use serde::Deserialize;

use super::{
    super::{
        factors::Method,
        gate,
        journey::{Carried, Journey},
        second, sign_in, throttle,
    },
    Nothing, asked, ceremony, too_many,
};
use crate::{App, audit, audit::Event, error::PageError, refusals, store::passkey_ceremonies::Purpose};

/// A passkey is never taken without user verification.
const METHOD: Method = Method::Passkey { user_verified: true };

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
    /// `AuthenticationResponseJSON` (Web Authentication Level 3, §5.1.8).
    credential: String,
}

/// `POST /login/passkey/options`: `CredentialRequestOptions`, as JSON. The same for everybody.
pub async fn options(
    State(app): State<App>,
    page: Page,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    if let Err(wait) = throttle::passkey(&app).await? {
        return Ok(too_many(wait));
    }
    Ok(asked(ceremony::ask_to_prove(&app, &page, Purpose::LogIn, None).await?))
}

/// `POST /login/passkey`. Unknown, wrong, replayed, of a disabled person: one answer.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let mut tx = app.db.write().await?;
    match ceremony::proved(&app, &mut tx, &page, Purpose::LogIn, None, &form.credential).await? {
        Some(user) => {
            throttle::passkey_was_right(&app, &mut tx).await?;
            let passed = gate::passed(&app, tx, user, METHOD, &journey, &headers, &page).await?;
            if let Some(response) = passed {
                return Ok(response);
            }
        }
        None => {
            tx.commit().await?;
            refusals::refused("log-in", "passkey");
        }
    }
    let problem = "This passkey was not accepted. Try again, or log in another way.";
    sign_in::refuse(&app, &page, &headers, &journey, problem).await
}

/// `POST /login/second/passkey/options`: for whoever has given a first factor in this browser.
pub async fn second_options(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let sign_in = gate::pending(&app, &headers, &page).await?.ok_or(PageError::Gone)?;
    if let Err(wait) = throttle::passkey(&app).await? {
        return Ok(too_many(wait));
    }
    Ok(asked(ceremony::ask_to_prove(&app, &page, Purpose::Second, Some(sign_in.user_id)).await?))
}

/// `POST /login/second/passkey`
pub async fn second(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let Some(sign_in) = gate::pending(&app, &headers, &page).await? else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let mut tx = app.db.write().await?;
    let user = Some(sign_in.user_id);
    match ceremony::proved(&app, &mut tx, &page, Purpose::Second, user, &form.credential).await? {
        Some(_) => {
            throttle::passkey_was_right(&app, &mut tx).await?;
            let passed = gate::second(&app, tx, &sign_in, METHOD, &journey, &headers).await?;
            Ok(passed.unwrap_or_else(|| Redirect::to(&journey.by("/login")).into_response()))
        }
        None => {
            audit::record(&app, &mut tx, user, Event::SecondFactorFailed { factor: METHOD.into() }).await?;
            tx.commit().await?;
            refusals::user(sign_in.user_id);
            refusals::refused("log-in", "passkey");
            second::refuse(&app, &page, &headers, &journey).await
        }
    }
}
