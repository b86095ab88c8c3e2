//! Dynamic Client Registration, RFC 7591, and its management, RFC 7592.

mod error;
mod metadata;

use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{self, ExposeSecret, SecretHash, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::error::RegistrationError;
use self::metadata::Metadata;
use super::error::BearerError;
use crate::{
    App, Config,
    account::throttle,
    admin, audit,
    audit::Event,
    config::Registration,
    oidc::userinfo::bearer,
    store::{
        ClientId, client_registrations, client_registrations::ClientRegistration, clients, clients::Client,
        consents, initial_access_tokens,
    },
};

const REGISTRATION_TOKEN: &str = "lkt_";
const CLIENT_SECRET: &str = "lks_";

/// RFC 7591 §3.2.1, RFC 7592 §3.
#[derive(Serialize)]
pub struct Information {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Never.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u8>,
    /// Seconds since 1970.
    client_id_issued_at: i64,
    registration_client_uri: String,
    registration_access_token: String,
    #[serde(flatten)]
    metadata: Value,
}

type NoStore = [(HeaderName, &'static str); 1];
const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];
type Answer = Result<(StatusCode, NoStore, Json<Information>), RegistrationError>;
type InPath = Result<Path<String>, PathRejection>;
type Sent = Result<Json<Map<String, Value>>, JsonRejection>;

/// RFC 7591 §3.
pub async fn post(State(app): State<App>, headers: HeaderMap, sent: Sent) -> Answer {
    let initial = match app.config.registration {
        Registration::Open => {
            throttle::register(&app).await?.map_err(RegistrationError::Throttled)?;
            None
        }
        Registration::Closed | Registration::Token => Some(bearer(&headers)?),
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if let Some(initial) = &initial
        && !initial_access_tokens::spend(&mut tx, &SecretHash::of(initial), now).await?
    {
        return Err(BearerError::InvalidToken("no initial access token that is good for more").into());
    }
    let client_id = format!("app_{}", URL_SAFE_NO_PAD.encode(secret::random::<16>()));
    let for_itself = initial.is_some();
    let purpose = Purpose::of(for_itself);
    let Described { client, metadata, secret } = describe(&app.config, &client_id, object(sent)?, purpose)?;
    let registration = ClientRegistration { metadata: metadata.to_string(), issued_at: now, for_itself };
    let token = secret::generate(REGISTRATION_TOKEN);
    clients::put(&mut tx, &client, now).await?;
    let hash = SecretHash::of(token.expose_secret());
    client_registrations::insert(&mut tx, &client.id, &hash, &registration).await?;
    let event = Event::ClientRegistered { client_id: client.id.clone() };
    audit::record(&app, &mut tx, None, event).await?;
    tx.commit().await?;
    tracing::info!(client.id = %client.id, "{} has registered itself", client.id);
    let information = information(&app, &client, &registration, metadata, token.expose_secret(), secret);
    Ok((StatusCode::CREATED, NO_STORE, Json(information)))
}

/// RFC 7592 §2.1.
pub async fn get(State(app): State<App>, client_id: InPath, headers: HeaderMap) -> Answer {
    let (client_id, token) = caller(client_id, &headers)?;
    let mut conn = app.db.read().await?;
    let found = client_registrations::find(&mut conn, &client_id, &SecretHash::of(&token)).await?;
    let registration = found.ok_or(FOREIGN)?;
    let client = clients::find_live(&mut conn, &client_id).await?.ok_or(FOREIGN)?;
    let metadata = serde_json::from_str(&registration.metadata).unwrap_or_default();
    let information = information(&app, &client, &registration, metadata, &token, None);
    Ok((StatusCode::OK, NO_STORE, Json(information)))
}

/// RFC 7592 §2.2: replaces everything; what is left out is as if it had never been said.
pub async fn put(State(app): State<App>, client_id: InPath, headers: HeaderMap, sent: Sent) -> Answer {
    let (client_id, token) = caller(client_id, &headers)?;
    let hash = SecretHash::of(&token);
    let mut tx = app.db.write().await?;
    let found = client_registrations::find(&mut tx, &client_id, &hash).await?.ok_or(FOREIGN)?;
    let old = clients::find_live(&mut tx, &client_id).await?.ok_or(FOREIGN)?;

    let mut sent = object(sent)?;
    let refuse = |reason: &str| RegistrationError::Metadata(reason.to_owned());
    if sent.remove("client_id").as_ref().and_then(Value::as_str) != Some(client_id.0.as_str()) {
        return Err(refuse("client_id is not that of this registration"));
    }
    if let Some(secret) = sent.remove("client_secret") {
        let same = |hash: &SecretHash| secret.as_str().is_some_and(|secret| hash.matches(secret));
        if !old.secret_hash.as_ref().is_some_and(same) {
            return Err(refuse("client_secret is not the client's to choose"));
        }
    }
    let Described { mut client, metadata, mut secret } =
        describe(&app.config, &client_id.0, sent, Purpose::of(found.for_itself))?;
    if client.secret_hash.is_some() && old.secret_hash.is_some() {
        client.secret_hash.clone_from(&old.secret_hash);
        secret = None;
    }
    let text = metadata.to_string();
    let replaced = client_registrations::replace(&mut tx, &client_id, &hash, &text).await?;
    let registration = replaced.ok_or(FOREIGN)?;
    if client.looks_different(&old) {
        // People allowed what they were shown.
        consents::delete_all(&mut tx, &client_id).await?;
    }
    if !clients::replace(&mut tx, &client, app.clock.now()).await? {
        return Err(FOREIGN.into());
    }
    audit::record(&app, &mut tx, None, Event::ClientChanged { client_id: client_id.clone() }).await?;
    tx.commit().await?;
    tracing::info!(client.id = %client_id, "{client_id} has changed its registration");
    let information = information(&app, &client, &registration, metadata, &token, secret);
    Ok((StatusCode::OK, NO_STORE, Json(information)))
}

/// RFC 7592 §2.3.
pub async fn delete(
    State(app): State<App>,
    client_id: InPath,
    headers: HeaderMap,
) -> Result<(StatusCode, NoStore), RegistrationError> {
    let (client_id, token) = caller(client_id, &headers)?;
    let mut tx = app.db.write().await?;
    if !client_registrations::delete(&mut tx, &client_id, &SecretHash::of(&token)).await? {
        return Err(FOREIGN.into());
    }
    clients::delete(&mut tx, &client_id).await?;
    audit::record(&app, &mut tx, None, Event::ClientRemoved { client_id: client_id.clone() }).await?;
    tx.commit().await?;
    tracing::info!(client.id = %client_id, "{client_id} has removed itself");
    Ok((StatusCode::NO_CONTENT, NO_STORE))
}

/// RFC 7592 §2.1: the same for a client that is unknown, and for one that has not registered itself.
const FOREIGN: BearerError = BearerError::InvalidToken("not the registration access token of this client");

/// Whose registration it is about, and the token that was brought for it.
fn caller(client_id: InPath, headers: &HeaderMap) -> Result<(ClientId, String), RegistrationError> {
    let token = bearer(headers)?;
    let Path(client_id) = client_id.map_err(|_| FOREIGN)?;
    // None other can be registered, and PostgreSQL refuses to look for some.
    if !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FOREIGN.into());
    }
    Ok((ClientId(client_id), token))
}

fn object(sent: Sent) -> Result<Map<String, Value>, RegistrationError> {
    match sent {
        Ok(Json(sent)) => Ok(sent),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(RegistrationError::TooLarge)
        }
        Err(_) => Err(RegistrationError::Metadata("it is no JSON object".to_owned())),
    }
}

/// A client as it would be stored.
#[derive(Debug)]
pub struct Described {
    pub client: Client,
    metadata: Value,
    /// A new one, if it authenticates with one.
    secret: Option<SecretString>,
}

/// For whom a client that nobody has looked at may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// People who allow it.
    People,
    /// Itself too: an operator let it in.
    Itself,
}

impl Purpose {
    /// What a registration was made for, whoever may register by now.
    fn of(for_itself: bool) -> Self {
        if for_itself { Self::Itself } else { Self::People }
    }
}

/// The client that metadata stands for.
pub fn describe(
    settings: &Config,
    client_id: &str,
    sent: Map<String, Value>,
    purpose: Purpose,
) -> Result<Described, RegistrationError> {
    let mut metadata = Metadata::read(sent)?;
    metadata.complete(settings, purpose)?;
    let mut config = metadata.configured(settings, client_id);
    let secret = metadata.has_secret().then(|| secret::generate(CLIENT_SECRET));
    config.client_secret = secret.clone();
    let client = admin::clients::client(&config, false)
        .map_err(|error| RegistrationError::Metadata(error.to_string()))?;
    let metadata = serde_json::to_value(metadata.registered(&client)).unwrap_or_default();
    Ok(Described { client, metadata, secret })
}

fn information(
    app: &App,
    client: &Client,
    registration: &ClientRegistration,
    metadata: Value,
    token: &str,
    secret: Option<SecretString>,
) -> Information {
    Information {
        client_id: client.id.0.clone(),
        client_secret: secret.map(|secret| secret.expose_secret().to_owned()),
        client_secret_expires_at: client.secret_hash.as_ref().map(|_| 0),
        client_id_issued_at: registration.issued_at.timestamp(),
        registration_client_uri: format!("{}/register/{}", app.config.issuer, client.id),
        registration_access_token: token.to_owned(),
        metadata,
    }
}
