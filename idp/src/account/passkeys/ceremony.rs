//! The ceremonies of Web Authentication Level 3: registering a new credential (§7.1) and verifying an assertion
//! (§7.2). webauthn-rs judges what an authenticator says; here is what it is asked, and what the answer is bound to.
//!
//! `None` refuses, and the log says why: whoever answered is told nothing. What was spent then stays spent, so
//! callers commit either way.

use std::fmt::Display;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use platform::{pages::Page, secret::SecretHash};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use url::Url;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, RequestChallengeResponse, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::{
    App,
    audit::{self, Event},
    config::Config,
    store::{
        Conn, Error, Tx, UserId,
        passkey_ceremonies::{self, Bound, Purpose},
        passkeys,
        sessions::Session,
    },
};

/// How long somebody may take to find and use an authenticator.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// As whom authenticators know us (§4, Relying Party). `None` when passkeys are not wanted, or the issuer has no
/// host name: there are none for IP addresses.
pub fn relying_party(config: &Config) -> Option<Webauthn> {
    if !config.passkeys {
        return None;
    }
    let made = Url::parse(&config.issuer).ok().and_then(|issuer| {
        WebauthnBuilder::new(issuer.domain()?, &issuer).ok()?.rp_name(&config.name).build().ok()
    });
    if made.is_none() {
        tracing::warn!("there are no passkeys at {}: they need a host name", config.issuer);
    }
    made
}

/// Asks for a new credential: one that names its person by itself, verifies that it is them, and lies in no
/// authenticator that has one of theirs already.
pub async fn ask_to_add(
    app: &App,
    page: &Page,
    session: &Session,
) -> Result<Option<CreationChallengeResponse>, Error> {
    let Some(rp) = &app.passkeys else { return Ok(None) };
    let mut conn = app.db.read().await?;
    let theirs = of_user(&mut conn, session.user_id).await?;
    drop(conn);
    let theirs = theirs.iter().map(|passkey| passkey.cred_id().clone()).collect();
    let name = if session.name.is_empty() { &session.email } else { &session.name };
    let started = rp.start_passkey_registration(session.user_id.0, &session.email, name, Some(theirs));
    let Some((mut asked, state)) = or_refuse(started) else { return Ok(None) };
    if let Some(selection) = &mut asked.public_key.authenticator_selection {
        selection.require_resident_key = true;
        selection.resident_key = serde_json::from_value(json!("required")).ok();
    }
    remember(app, page, Purpose::Add, Some(session.user_id), &asked.public_key.challenge, &state).await?;
    Ok(Some(asked))
}

/// Asks for a proof: of `user`, or of whoever the credential names.
pub async fn ask_to_prove(
    app: &App,
    page: &Page,
    purpose: Purpose,
    user: Option<UserId>,
) -> Result<Option<RequestChallengeResponse>, Error> {
    let Some(rp) = &app.passkeys else { return Ok(None) };
    let Some((mut asked, state)) = or_refuse(rp.start_discoverable_authentication()) else { return Ok(None) };
    // Which way it is asked for is the page's business.
    asked.mediation = None;
    if let Some(user) = user {
        let mut conn = app.db.read().await?;
        let theirs = of_user(&mut conn, user).await?;
        drop(conn);
        let Some((listed, _)) = or_refuse(rp.start_passkey_authentication(&theirs)) else { return Ok(None) };
        asked.public_key.allow_credentials = listed.public_key.allow_credentials;
    }
    remember(app, page, purpose, user, &asked.public_key.challenge, &state).await?;
    Ok(Some(asked))
}

async fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<Passkey>, Error> {
    let rows = passkeys::list(conn, user).await?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(&row.credential).ok()).collect())
}

async fn remember(
    app: &App,
    page: &Page,
    purpose: Purpose,
    user_id: Option<UserId>,
    challenge: &[u8],
    state: &impl Serialize,
) -> Result<(), Error> {
    let challenge = &SecretHash::of(&URL_SAFE_NO_PAD.encode(challenge));
    let bound = Bound { challenge, browser: &page.browser, purpose, user_id };
    let state = json!(state).to_string();
    let mut tx = app.db.write().await?;
    passkey_ceremonies::insert(&mut tx, bound, &state, app.clock.now() + LIFETIME).await?;
    tx.commit().await
}

/// A credential that an authenticator has just made.
pub struct Made {
    pub passkey: Passkey,
    /// How the authenticator can be reached (§5.8.4).
    pub transports: Vec<String>,
}

pub async fn made(
    app: &App,
    tx: &mut Tx,
    page: &Page,
    user: UserId,
    answer: &str,
) -> Result<Option<Made>, Error> {
    let Some(rp) = &app.passkeys else { return Ok(None) };
    let Some(answer) = parse::<RegisterPublicKeyCredential>(answer.as_bytes()) else { return Ok(None) };
    let client_data = &answer.response.client_data_json;
    let state = spend::<PasskeyRegistration>(app, tx, page, Purpose::Add, Some(user), client_data).await?;
    let Some(state) = state else { return Ok(None) };
    let made = or_refuse(rp.finish_passkey_registration(&answer, &state));
    let transports = answer.response.transports.unwrap_or_default();
    Ok(made.map(|passkey| Made { passkey, transports: transports.iter().map(ToString::to_string).collect() }))
}

/// Who has proved by a passkey, with user verification, who they are.
pub async fn proved(
    app: &App,
    tx: &mut Tx,
    page: &Page,
    purpose: Purpose,
    user: Option<UserId>,
    answer: &str,
) -> Result<Option<UserId>, Error> {
    let Some(rp) = &app.passkeys else { return Ok(None) };
    let Some(answer) = parse::<PublicKeyCredential>(answer.as_bytes()) else { return Ok(None) };
    let client_data = &answer.response.client_data_json;
    let state = spend::<DiscoverableAuthentication>(app, tx, page, purpose, user, client_data).await?;
    let Some(state) = state else { return Ok(None) };
    let Some(row) = passkeys::lock(tx, answer.get_credential_id()).await? else {
        return Ok(refuse("nobody has this credential"));
    };
    // §7.2, steps 6 and 7: whose it is. An authenticator that was not told which credentials to use says it.
    let named = answer.get_user_unique_id();
    let is_theirs = named.map_or(user.is_some(), |handle| handle == row.user_id.0.as_bytes());
    if !is_theirs || user.is_some_and(|user| user != row.user_id) {
        return Ok(refuse("the credential is another person's"));
    }
    let Ok(mut passkey) = serde_json::from_str::<Passkey>(&row.credential) else {
        return Ok(refuse("the credential was stored by another version"));
    };
    let result = match rp.finish_discoverable_authentication_v2(&answer, state, &passkey) {
        Ok(result) => result,
        Err(error) => {
            if matches!(error, WebauthnError::CredentialPossibleCompromise) {
                let event = Event::PasskeyCloned { name: row.name };
                audit::record(app, tx, Some(row.user_id), event).await?;
            }
            return Ok(refuse(error));
        }
    };
    passkey.update_credential(&result);
    let credential = json!(passkey).to_string();
    passkeys::used(tx, row.id, &credential, result.backup_state(), app.clock.now()).await?;
    Ok(Some(row.user_id))
}

/// What a page of ours says to an authenticator by the browser (§5.8.1), as far as webauthn-rs leaves it to us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    challenge: String,
    #[serde(default)]
    cross_origin: bool,
}

/// The challenge that an answer holds is spent, and what was kept with it is returned.
async fn spend<State: DeserializeOwned>(
    app: &App,
    tx: &mut Tx,
    page: &Page,
    purpose: Purpose,
    user_id: Option<UserId>,
    client_data: &[u8],
) -> Result<Option<State>, Error> {
    let Some(client_data) = parse::<ClientData>(client_data) else { return Ok(None) };
    let challenge = &SecretHash::of(&client_data.challenge);
    let bound = Bound { challenge, browser: &page.browser, purpose, user_id };
    let Some(state) = passkey_ceremonies::spend(tx, bound, app.clock.now()).await? else {
        return Ok(refuse(
            "the challenge is unknown, spent, expired, or another browser's, person's or purpose's",
        ));
    };
    if client_data.cross_origin {
        return Ok(refuse("the page that asked was inside of another one"));
    }
    Ok(parse(state.as_bytes()))
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok().or_else(|| refuse("this is no answer of an authenticator"))
}

fn or_refuse<T>(outcome: Result<T, WebauthnError>) -> Option<T> {
    outcome.map_or_else(refuse, Some)
}

fn refuse<T>(rule: impl Display) -> Option<T> {
    tracing::info!(%rule, "refused a passkey");
    None
}
