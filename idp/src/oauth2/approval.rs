//! What follows when a person allows a client something: a grant, and the memory of what was allowed.

use chrono::{DateTime, Utc};

use super::scope;
use crate::{
    App, audit,
    audit::Event,
    config,
    store::{
        self, ClientId, GrantId, Tx, UserId, Words,
        clients::Client,
        consents,
        grants::{self, Grant},
        sessions::Session,
    },
};

/// What a client may have from now on.
#[derive(Debug)]
pub struct Allowed<'a> {
    /// Sorted, never empty.
    pub scope: &'a str,
    /// Space-separated; may be empty.
    pub audience: &'a str,
    pub claims: &'a Words,
    /// How long the client may take to redeem it, in seconds.
    pub redeemable: u32,
}

/// What was stored.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    pub id: GrantId,
    /// The client had none like it in this session.
    first: bool,
}

/// Stores the grant of whoever is logged in.
pub async fn grant(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    session: &Session,
    allowed: &Allowed<'_>,
) -> Result<Granted, store::Error> {
    let now = app.clock.now();
    let refreshes = client.grant_types.has("refresh_token");
    // A grant that nothing can be got from any more is swept.
    let lifetime = if refreshes {
        app.config.tokens.refresh_token_lifetime
    } else {
        allowed.redeemable + app.config.longest_access_token_lifetime()
    };
    let grant = Grant {
        id: GrantId::new(),
        client_id: client.id.clone(),
        user_id: session.user_id,
        session_id: session.id,
        offline: refreshes && scope::has(allowed.scope, "offline_access"),
        scope: allowed.scope.to_owned(),
        audience: allowed.audience.to_owned(),
        claims: allowed.claims.clone(),
        auth_time: session.auth_time,
        amr: session.amr.clone(),
        expires_at: now + config::seconds(lifetime),
    };
    let first = grants::insert(tx, &grant, now).await?;
    Ok(Granted { id: grant.id, first })
}

/// Writes down that a client has something new of a person: last before the commit. An app that asks again and again in
/// one session fills no log.
pub async fn connected(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    session: &Session,
    granted: Granted,
    scope: &str,
) -> Result<(), store::Error> {
    if !granted.first {
        return Ok(());
    }
    let event =
        Event::AppConnected { client_id: client.id.clone(), session: session.id, scope: scope.to_owned() };
    audit::record(app, tx, Some(session.user_id), event).await
}

/// Remembers what was allowed, so that it is not asked for again.
pub async fn remember(
    tx: &mut Tx,
    client: &Client,
    session: &Session,
    scope: &str,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    let remembered = consents::find_scope(tx, session.user_id, &client.id).await?.unwrap_or_default();
    let scope = scope::union(&remembered, scope);
    consents::put(tx, session.user_id, &client.id, &scope, now).await?;
    tracing::info!(client.id = %client.id, user.id = %session.user_id, "{} allowed {} {scope:?}", session.user_id, client.id);
    Ok(())
}

/// Takes back what was allowed, and all that the client got by it. `false`: there was nothing.
pub async fn take_back(
    tx: &mut Tx,
    user_id: UserId,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<bool, store::Error> {
    // None other can be registered, and PostgreSQL refuses to look for some.
    if !client_id.0.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(false);
    }
    let consented = consents::delete(tx, user_id, client_id).await?;
    let granted = grants::revoke_client(tx, user_id, client_id, now).await?;
    Ok(consented || granted)
}
