//! Access tokens: RFC 9068 JWTs.
//!
//! None is stored. Its `jti` begins with the id of the grant that it came from, so that introspection and
//! userinfo find whether that grant is still alive; single ones are revoked by `jti`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use platform::secret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::BearerError;
use crate::{
    App,
    account::factors,
    config,
    keys::{InvalidToken, Kind},
    store::{
        self, ClientId, Conn, GrantId, SessionId,
        clients::Client,
        grants::{self, Grant},
        revoked_access_tokens,
    },
};

/// RFC 9068 §2.2. `sid` is that of ID tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    pub client_id: ClientId,
    pub scope: String,
    pub jti: String,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// RFC 9068 §2.2.1, so that APIs can ask for more (RFC 9470).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts for `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
}

/// RFC 8693 §4.1: `sub` of whoever acts, and inside of it those who acted before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// How many act one for the other, this one included.
    #[must_use]
    pub fn chain(&self) -> usize {
        std::iter::successors(Some(self), |actor| actor.act.as_deref()).count()
    }
}

/// RFC 7800: whoever presents the token has to prove that this key is theirs (RFC 9449 §6.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    pub jkt: String,
}

impl Claims {
    /// RFC 6749 §7.1 and RFC 9449 §5.
    #[must_use]
    pub fn token_type(&self) -> &'static str {
        if self.cnf.is_some() { "DPoP" } else { "Bearer" }
    }
}

/// One audience is a string, several are an array (RFC 7519 §4.1.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// The one that an ID token of ours has.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        match self {
            Self::One(one) => Some(one),
            Self::Several(several) => several.first().map(String::as_str),
        }
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }

    /// Whether it names this one and nobody else.
    #[must_use]
    pub fn is_only(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => matches!(several.as_slice(), [one] if one == name),
        }
    }
}

/// What an access token is issued for.
#[derive(Debug)]
pub struct Terms<'a> {
    pub client: &'a Client,
    /// The person's authorization; `None` for a client that acts as itself.
    pub grant: Option<&'a Grant>,
    pub scope: &'a str,
    /// Space-separated; without one the token is for our own userinfo.
    pub audience: &'a str,
    /// The thumbprint of the key that it is bound to.
    pub jkt: Option<&'a str>,
}

/// A signed access token. Its `Debug` does not show it.
pub struct Issued {
    pub token: String,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u32,
    /// What it got of what it was issued for.
    pub scope: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Signs an access token.
pub fn issue(app: &App, terms: &Terms<'_>, now: DateTime<Utc>) -> Result<Issued, InvalidToken> {
    sign(app, terms.client, &claims(app, terms, now))
}

/// Signs an access token in exchange for another one: it says who acts, and does not live longer.
pub fn exchange(
    app: &App,
    terms: &Terms<'_>,
    act: Actor,
    not_after: i64,
    now: DateTime<Utc>,
) -> Result<Issued, InvalidToken> {
    let mut claims = claims(app, terms, now);
    claims.act = Some(act);
    claims.exp = claims.exp.min(not_after);
    sign(app, terms.client, &claims)
}

fn sign(app: &App, client: &Client, claims: &Claims) -> Result<Issued, InvalidToken> {
    let token = app.keys.snapshot().sign(client.access_token_alg(), Kind::AccessToken, claims)?;
    let expires_in = u32::try_from(claims.exp - claims.iat).unwrap_or_default();
    Ok(Issued { token, token_type: claims.token_type(), expires_in, scope: claims.scope.clone() })
}

fn claims(app: &App, terms: &Terms<'_>, now: DateTime<Utc>) -> Claims {
    let Terms { client, grant, scope, audience, jkt } = *terms;
    let expires_in = app.config.access_token_lifetime(audience);
    let mut audiences: Vec<String> = audience.split_ascii_whitespace().map(str::to_owned).collect();
    let aud = match audiences.len() {
        0 => Audience::One(app.config.issuer.clone()),
        1 => Audience::One(audiences.swap_remove(0)),
        _ => Audience::Several(audiences),
    };
    Claims {
        iss: app.config.issuer.clone(),
        sub: grant.map_or_else(|| client.id.0.clone(), |grant| grant.user_id.to_string()),
        aud,
        client_id: client.id.clone(),
        scope: app.config.scope_for(audience, scope),
        jti: jti(grant.map(|grant| grant.id)),
        iat: now.timestamp(),
        exp: (now + config::seconds(expires_in)).timestamp(),
        auth_time: grant.map(|grant| grant.auth_time.timestamp()),
        acr: grant.map(|grant| factors::acr(&grant.amr).to_owned()),
        amr: grant.map(|grant| grant.amr.0.clone()).unwrap_or_default(),
        sid: grant.map(|grant| grant.session_id),
        cnf: jkt.map(|jkt| Confirmation { jkt: jkt.to_owned() }),
        act: None,
    }
}

fn jti(grant: Option<GrantId>) -> String {
    let grant = grant.map_or(Uuid::nil(), |GrantId(id)| id);
    let mut jti = [0; 32];
    let (front, back) = jti.split_at_mut(16);
    front.copy_from_slice(grant.as_bytes());
    back.copy_from_slice(&secret::random::<16>());
    URL_SAFE_NO_PAD.encode(jti)
}

impl Claims {
    /// The grant that the token came from; `None` for a client that acted as itself.
    fn grant(&self) -> Option<GrantId> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.jti).ok()?;
        let id = Uuid::from_slice(bytes.get(..16)?).ok()?;
        (!id.is_nil()).then_some(GrantId(id))
    }
}

/// An access token of ours that is in force, and the grant that it came from.
#[derive(Debug)]
pub struct Live {
    pub claims: Claims,
    pub grant: Option<Grant>,
}

/// Reads an access token; checks that it is ours, has not expired or been revoked, and that the user,
/// client and session behind it are alive.
pub async fn find_live(app: &App, conn: &mut Conn, token: &str) -> Result<Live, BearerError> {
    let moment = app.moment();
    let claims: Claims =
        app.keys.snapshot().verify(token, Kind::AccessToken, &app.config.issuer, Some(moment.now))?;
    if revoked_access_tokens::contains(conn, &claims.jti).await? {
        return Err(BearerError::InvalidToken("it was revoked"));
    }
    let grant = match claims.grant() {
        Some(id) => {
            let grant = grants::find_live(conn, id, moment).await?;
            let grant =
                grant.ok_or(BearerError::InvalidToken("its grant, user, client or session has ended"))?;
            // One that was exchanged is the client's that exchanged it.
            if grant.client_id != claims.client_id && !is_live_client(conn, &claims.client_id).await? {
                return Err(BearerError::InvalidToken("its client is unknown or disabled"));
            }
            Some(grant)
        }
        None if is_live_client(conn, &claims.client_id).await? => None,
        None => return Err(BearerError::InvalidToken("its client is unknown or disabled")),
    };
    Ok(Live { claims, grant })
}

async fn is_live_client(conn: &mut Conn, id: &ClientId) -> Result<bool, store::Error> {
    store::clients::find_live(conn, id).await.map(|client| client.is_some())
}
