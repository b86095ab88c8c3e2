//! Device Authorization Grant, RFC 8628: a device asks (§3.1), a person decides on another one (§3.3).

use std::{fmt, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, header},
};
use chrono::TimeDelta;
use platform::{
    http::current,
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Serialize;

use super::{
    approval::{self, Allowed},
    authorize::{self, Decision},
    client_auth::authenticate,
    error::TokenError,
    parameters::Parameters,
    scope, token,
    user_code::UserCode,
};
use crate::{
    App,
    account::{factors, throttle},
    audit,
    audit::Event,
    clients::NotNow,
    config,
    error::PageError,
    store::{
        Words,
        clients::Client,
        device_authorizations::{self, DeviceAuthorization},
        grants,
        sessions::Session,
    },
};

const DEVICE_CODE: &str = "lkd_";
/// How long a device waits between two polls, until it was told to slow down.
const INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// §3.2. Its `Debug` shows no code.
#[derive(Serialize)]
pub struct Authorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    /// Seconds.
    expires_in: u32,
    interval: i64,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<([(HeaderName, &'static str); 1], Json<Authorization>), TokenError> {
    let parameters = token::form(&headers, &body)?;
    let client = authenticate(&app, &headers, &parameters).await?;
    if !client.grant_types.has(token::DEVICE_CODE) {
        return Err(TokenError::UnauthorizedClient("the client is not registered for this grant type"));
    }
    if client.is_public() {
        throttle::device(&app).await?.map_err(NotNow::Throttled)?;
    }
    let now = app.clock.now();
    let expires_in = app.config.tokens.device_code_lifetime;
    let row = DeviceAuthorization {
        client_id: client.id.clone(),
        scope: asked_scope(&parameters, &client)?,
        audience: authorize::audience(&app, &parameters, &client)
            .map_err(|(_, rule)| TokenError::InvalidTarget(rule))?,
        address: current().client.to_string(),
        created_at: now,
        expires_at: now + config::seconds(expires_in),
    };
    let device_code = secret::generate(DEVICE_CODE);
    let hash = SecretHash::of(device_code.expose_secret());
    let mut tx = app.db.write().await?;
    let user_code = loop {
        let user_code = UserCode::generate();
        if device_authorizations::insert(&mut tx, &hash, &user_code.hash(&app), &row, INTERVAL).await? {
            break user_code;
        }
    };
    tx.commit().await?;
    tracing::info!(client.id = %client.id, "{} asked for a device", client.id);
    let verification_uri = format!("{}/device", app.config.issuer);
    let authorization = Authorization {
        device_code: device_code.expose_secret().to_owned(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri,
        user_code: user_code.to_string(),
        expires_in,
        interval: INTERVAL.num_seconds(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(authorization)))
}

/// As at the authorization endpoint: what the client may not ask for is ignored, as long as something is left.
fn asked_scope(parameters: &Parameters, client: &Client) -> Result<String, TokenError> {
    let asked = scope::parse(parameters.get("scope").unwrap_or(&client.scope))
        .ok_or(TokenError::InvalidScope("scope has characters that it may not"))?;
    let allowed = scope::intersection(&asked, &client.scope)
        .ok_or(TokenError::InvalidScope("none of the scopes may be asked for by this client"))?;
    Ok(scope::to_text(&allowed))
}

/// A device that waits for the person who has entered its code in this session.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub client: Arc<Client>,
    pub authorization: DeviceAuthorization,
}

impl Waiting {
    pub async fn find(app: &App, code: &UserCode, session: &Session) -> Result<Option<Self>, PageError> {
        let mut conn = app.db.read().await?;
        let found =
            device_authorizations::find(&mut conn, &code.hash(app), session.id, app.clock.now()).await?;
        drop(conn);
        let Some(authorization) = found else { return Ok(None) };
        let client = app.clients.find(&authorization.client_id.0).await?;
        Ok(client.map(|client| Self { client, authorization }))
    }

    /// Whether its app is not to be reached by what was proved in this session.
    #[must_use]
    pub fn needs_second_factor(&self, session: &Session) -> bool {
        self.client.require_second_factor && !factors::is_two_factors(&session.amr)
    }

    /// Carries out what the person answered. First-party clients are asked about, too: only the person
    /// knows whose device it is.
    pub async fn decide(
        &self,
        app: &App,
        code: &UserCode,
        session: &Session,
        decision: Decision,
    ) -> Result<(), PageError> {
        let (now, client) = (app.clock.now(), &self.client);
        let mut tx = app.db.write().await?;
        let granted = match decision {
            Decision::Allow => {
                let allowed = Allowed {
                    scope: &self.authorization.scope,
                    audience: &self.authorization.audience,
                    claims: &Words::default(),
                    redeemable: app.config.tokens.device_code_lifetime,
                };
                approval::remember(&mut tx, client, session, allowed.scope, now).await?;
                let granted = approval::grant(app, &mut tx, client, session, &allowed).await?;
                grants::set_device(&mut tx, granted.id, &self.authorization.address).await?;
                Some(granted)
            }
            Decision::Deny => None,
        };
        let grant_id = granted.map(|granted| granted.id);
        if !device_authorizations::decide(&mut tx, &code.hash(app), session.id, grant_id, now).await? {
            return Err(PageError::Gone);
        }
        if let Some(granted) = granted {
            let (client_id, scope) = (client.id.clone(), self.authorization.scope.clone());
            let given = Event::ConsentGiven { client_id, scope };
            audit::record(app, &mut tx, Some(session.user_id), given).await?;
            approval::connected(app, &mut tx, client, session, granted, &self.authorization.scope).await?;
        }
        tx.commit().await?;
        tracing::info!(client.id = %client.id, user.id = %session.user_id, ?decision, "{} answered a device of {}", session.user_id, client.id);
        Ok(())
    }
}
