//! Adding a passkey.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use platform::pages::{Page, Protected};
use serde::Deserialize;
use serde_json::json;
use webauthn_rs::prelude::Passkey;

use super::{
    super::{
        frame::{Frame, Section},
        session, throttle,
        toast::Toast,
    },
    HERE, MAX, Nothing, asked,
    ceremony::{self, Made},
    check_name, too_many,
};
use crate::{
    App,
    audit::{self, Event},
    error::PageError,
    refusals,
    store::{
        Tx, UserId,
        passkeys::{self, NewPasskey},
        sessions::Session,
        users,
    },
};

const ADD: &str = "/account/passkeys/add";

#[derive(Template)]
#[template(path = "passkey_add.html")]
struct Add<'a> {
    frame: &'a Frame<'a>,
    name: &'a str,
    problem: Option<Problem>,
}

enum Problem {
    Name(&'static str),
    Whole(&'static str),
}

#[derive(Deserialize)]
pub struct Form {
    name: String,
    /// `RegistrationResponseJSON` (Web Authentication Level 3, §5.1.8).
    credential: String,
}

/// `GET /account/passkeys/add`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, ADD).await?;
    Ok(show(&app, &page, &headers, &session, "", None))
}

/// `POST /account/passkeys/add/options`: `CredentialCreationOptions`, as JSON.
pub async fn options(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(Nothing {}): Protected<Nothing>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, ADD).await?;
    if let Err(wait) = throttle::passkey(&app).await? {
        return Ok(too_many(wait));
    }
    Ok(asked(ceremony::ask_to_add(&app, &page, &session).await?))
}

/// `POST /account/passkeys/add`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, ADD).await?;
    let refuse = |problem| Ok(show(&app, &page, &headers, &session, &form.name, Some(problem)));
    let name = match check_name(&form.name) {
        Ok(name) => name,
        Err(problem) => return refuse(Problem::Name(problem)),
    };
    let mut tx = app.db.write().await?;
    let user = session.user_id;
    let made = ceremony::made(&app, &mut tx, &page, user, &form.credential).await?;
    let added = match made {
        Some(made) => {
            let name = if name.is_empty() { kind(&made, &headers) } else { name.to_owned() };
            keep(&app, &mut tx, user, &name, &made.passkey).await?
        }
        None => Err("The passkey was not added. Try again."),
    };
    // What was spent stays spent.
    tx.commit().await?;
    match added {
        Ok(()) => Ok(Toast::PasskeyAdded.redirect(&app.site, HERE)),
        Err(problem) => refuse(Problem::Whole(problem)),
    }
}

async fn keep(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    name: &str,
    passkey: &Passkey,
) -> Result<Result<(), &'static str>, PageError> {
    users::lock(tx, user).await?;
    if passkeys::list(tx, user).await?.len() >= MAX {
        return Ok(Err(
            "You have 20 passkeys, and there is no room for more. Remove one that you do not use.",
        ));
    }
    let credential = json!(passkey);
    let new = NewPasskey {
        credential_id: passkey.cred_id(),
        user_id: user,
        name,
        credential: &credential.to_string(),
        backed_up: credential.pointer("/cred/backup_state") == Some(&json!(true)),
    };
    // §7.1, step 26: whoever has it already keeps it.
    if !passkeys::insert(tx, &new, app.clock.now()).await? {
        tracing::info!(rule = "credential taken", user.id = %user, "refused a passkey of user {user}");
        refusals::refused("passkey", "credential taken");
        return Ok(Err("The passkey was not added. Try again."));
    }
    audit::record(app, tx, Some(user), Event::PasskeyAdded { name: name.to_owned() }).await?;
    Ok(Ok(()))
}

/// What a passkey is called that was given no name: by what it lies in, as far as anybody says.
fn kind(made: &Made, headers: &HeaderMap) -> String {
    let reached = |how: &[&str]| made.transports.iter().any(|transport| how.contains(&transport.as_str()));
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let systems = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Macintosh", "Mac"),
        ("CrOS", "Chromebook"),
        ("Linux", "Linux"),
    ];
    let kind = if reached(&["internal"]) {
        systems.iter().find(|(sign, _)| agent.contains(sign)).map_or("Passkey", |(_, name)| name)
    } else if reached(&["hybrid"]) {
        "Phone or tablet"
    } else if reached(&["usb", "nfc", "ble", "smart-card"]) {
        "Security key"
    } else {
        "Passkey"
    };
    kind.to_owned()
}

fn show(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    session: &Session,
    name: &str,
    problem: Option<Problem>,
) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = &Frame::new(app, headers, page, session, Section::Security);
    frame.answer(status, &Add { frame, name, problem })
}
