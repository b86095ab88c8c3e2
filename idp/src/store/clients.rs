//! Registered clients (RFC 7591 names).

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use serde::Deserialize;

use super::{ClientId, Conn, Error, Tx, UserId, Words};
use crate::keys::Algorithm;

/// Which set of rules a client is held to; they contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OpenID Connect Core, with what it leaves to the client.
    Oidc,
    /// OAuth 2.1.
    Oauth21,
    /// FAPI 2.0 Security Profile.
    Fapi2,
}

impl Profile {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Oauth21 => "oauth21",
            Self::Fapi2 => "fapi2",
        }
    }
}

/// What a column holds that this version did not write.
#[derive(Debug, thiserror::Error)]
#[error("the clients' column {0} holds a value that is not known")]
pub struct UnknownValue(&'static str);

impl TryFrom<String> for Profile {
    type Error = UnknownValue;
    fn try_from(text: String) -> Result<Self, UnknownValue> {
        let all = [Self::Oidc, Self::Oauth21, Self::Fapi2];
        all.into_iter().find(|profile| profile.as_str() == text).ok_or(UnknownValue("profile"))
    }
}

#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    /// Of those that authenticate with a secret.
    pub secret_hash: Option<SecretHash>,
    /// A JWK Set, of those that authenticate with a key.
    pub jwks: Option<String>,
    /// Where its JWK Set is.
    pub jwks_uri: Option<String>,
    /// `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`.
    pub token_endpoint_auth_method: String,
    #[sqlx(try_from = "String")]
    pub profile: Profile,
    #[sqlx(try_from = "String")]
    pub redirect_uris: Words,
    #[sqlx(try_from = "String")]
    pub post_logout_redirect_uris: Words,
    /// Where it is told that a session has ended.
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    /// Where it lets a log-in begin that others ask for.
    pub initiate_login_uri: Option<String>,
    #[sqlx(try_from = "String")]
    pub grant_types: Words,
    /// All that it may ask for, space-separated.
    pub scope: String,
    /// Of its access tokens when it names no `resource`; may be empty.
    pub audience: String,
    #[sqlx(try_from = "String")]
    pub id_token_signed_response_alg: Algorithm,
    /// Nobody is asked for consent.
    pub first_party: bool,
    pub require_pkce: bool,
    /// RFC 9126 §6.
    pub require_pushed_authorization_requests: bool,
    /// RFC 9101 §10.5.
    pub require_signed_request_object: bool,
    /// RFC 9449 §5.2.
    pub dpop_bound_access_tokens: bool,
    /// Nobody gets to it by one factor.
    pub require_second_factor: bool,
    /// Comes from the configuration file.
    pub declared: bool,
}

impl Client {
    /// Whether people would be shown something else than of `other` when they are asked, or be sent elsewhere.
    #[must_use]
    pub fn looks_different(&self, other: &Self) -> bool {
        self.name != other.name || self.redirect_uris != other.redirect_uris
    }

    /// It cannot keep a secret: nothing proves who it is (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == "none"
    }

    /// Whether it may sign with this algorithm: FAPI 2.0 §5.4.1 rules RSA with PKCS#1 v1.5 out.
    #[must_use]
    pub fn accepts_alg(&self, alg: &str) -> bool {
        self.profile != Profile::Fapi2 || alg != Algorithm::RS256.as_str()
    }

    /// What APIs have to check is the same for all, except where the profile rules it out (FAPI 2.0 §5.4.1).
    #[must_use]
    pub fn access_token_alg(&self) -> Algorithm {
        match self.profile {
            Profile::Fapi2 => self.id_token_signed_response_alg,
            Profile::Oidc | Profile::Oauth21 => Algorithm::RS256,
        }
    }
}

/// A client that is not disabled.
pub async fn find_live(conn: &mut Conn, id: &ClientId) -> Result<Option<Client>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, name, secret_hash, jwks, jwks_uri, token_endpoint_auth_method, profile, redirect_uris,
                    post_logout_redirect_uris, backchannel_logout_uri, backchannel_logout_session_required,
                    initiate_login_uri, grant_types, scope, audience, id_token_signed_response_alg, first_party, require_pkce,
                    require_pushed_authorization_requests, require_signed_request_object,
                    dpop_bound_access_tokens, require_second_factor, declared
             FROM clients WHERE id = $1 AND disabled_at IS NULL",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// Whether a client was disabled, whoever did it.
pub async fn is_disabled(conn: &mut Conn, id: &ClientId) -> Result<bool, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM clients WHERE id = $1 AND disabled_at IS NOT NULL)")
            .bind(id)
            .fetch_one(conn)
            .await
    })
}

/// The name of each app that somebody can go to from here, and where: those that are ours, and those that they
/// allowed something.
pub async fn list_startable(conn: &mut Conn, user_id: UserId) -> Result<Vec<(String, String)>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT name, initiate_login_uri FROM clients
             WHERE initiate_login_uri IS NOT NULL AND disabled_at IS NULL
               AND (first_party OR EXISTS (
                   SELECT 1 FROM consents WHERE consents.client_id = clients.id AND user_id = $1))
             ORDER BY name, id",
        )
        .bind(user_id)
        .fetch_all(conn)
        .await
    })
}

/// A client, and since when it has been disabled.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Listed {
    #[sqlx(flatten)]
    pub client: Client,
    pub disabled_at: Option<DateTime<Utc>>,
}

/// Every client, by id.
pub async fn list(conn: &mut Conn) -> Result<Vec<Listed>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, name, secret_hash, jwks, jwks_uri, token_endpoint_auth_method, profile, redirect_uris,
                    post_logout_redirect_uris, backchannel_logout_uri, backchannel_logout_session_required,
                    initiate_login_uri, grant_types, scope, audience, id_token_signed_response_alg, first_party, require_pkce,
                    require_pushed_authorization_requests, require_signed_request_object,
                    dpop_bound_access_tokens, require_second_factor, declared, disabled_at
             FROM clients ORDER BY id",
        )
        .fetch_all(conn)
        .await
    })
}

/// Registers a client; `false` when its id is taken. A declared client becomes what the configuration
/// says of it, and keeps what people consented to.
pub async fn put(tx: &mut Tx, client: &Client, now: DateTime<Utc>) -> Result<bool, Error> {
    write(tx, client, false, now).await
}

/// Changes a client that is there, which stays disabled if it is; `false` when the configuration declares it.
pub async fn replace(tx: &mut Tx, client: &Client, now: DateTime<Utc>) -> Result<bool, Error> {
    write(tx, client, true, now).await
}

async fn write(tx: &mut Tx, client: &Client, replace: bool, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO clients (id, name, secret_hash, jwks, jwks_uri, token_endpoint_auth_method, profile,
                 redirect_uris, post_logout_redirect_uris, backchannel_logout_uri,
                 backchannel_logout_session_required, initiate_login_uri, grant_types, scope, audience,
                 id_token_signed_response_alg, first_party, require_pkce,
                 require_pushed_authorization_requests, require_signed_request_object,
                 dpop_bound_access_tokens, require_second_factor, declared, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 $21, $22, $23, $24)
             ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, secret_hash = excluded.secret_hash, jwks = excluded.jwks,
                 jwks_uri = excluded.jwks_uri,
                 token_endpoint_auth_method = excluded.token_endpoint_auth_method,
                 profile = excluded.profile, redirect_uris = excluded.redirect_uris,
                 post_logout_redirect_uris = excluded.post_logout_redirect_uris,
                 backchannel_logout_uri = excluded.backchannel_logout_uri,
                 backchannel_logout_session_required = excluded.backchannel_logout_session_required,
                 initiate_login_uri = excluded.initiate_login_uri,
                 grant_types = excluded.grant_types, scope = excluded.scope, audience = excluded.audience,
                 id_token_signed_response_alg = excluded.id_token_signed_response_alg,
                 first_party = excluded.first_party, require_pkce = excluded.require_pkce,
                 require_pushed_authorization_requests = excluded.require_pushed_authorization_requests,
                 require_signed_request_object = excluded.require_signed_request_object,
                 dpop_bound_access_tokens = excluded.dpop_bound_access_tokens,
                 require_second_factor = excluded.require_second_factor,
                 declared = excluded.declared,
                 disabled_at = CASE WHEN excluded.declared THEN NULL ELSE clients.disabled_at END
             WHERE excluded.declared OR ($25 AND NOT clients.declared)",
        )
        .bind(&client.id)
        .bind(&client.name)
        .bind(&client.secret_hash)
        .bind(&client.jwks)
        .bind(&client.jwks_uri)
        .bind(&client.token_endpoint_auth_method)
        .bind(client.profile.as_str())
        .bind(client.redirect_uris.to_string())
        .bind(client.post_logout_redirect_uris.to_string())
        .bind(&client.backchannel_logout_uri)
        .bind(client.backchannel_logout_session_required)
        .bind(&client.initiate_login_uri)
        .bind(client.grant_types.to_string())
        .bind(&client.scope)
        .bind(&client.audience)
        .bind(client.id_token_signed_response_alg.as_str())
        .bind(client.first_party)
        .bind(client.require_pkce)
        .bind(client.require_pushed_authorization_requests)
        .bind(client.require_signed_request_object)
        .bind(client.dpop_bound_access_tokens)
        .bind(client.require_second_factor)
        .bind(client.declared)
        .bind(now)
        .bind(replace)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Disables a client and everything it holds; `false` when there is none.
pub async fn disable(tx: &mut Tx, id: &ClientId, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE clients SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// Disables a client (`Some` time) or enables it again (`None`), unless the configuration says what it is; `false`
/// when there is none such.
pub async fn set_disabled(tx: &mut Tx, id: &ClientId, at: Option<DateTime<Utc>>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE clients SET disabled_at = $2 WHERE id = $1 AND NOT declared")
            .bind(id)
            .bind(at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// Removes a client, disabled or not, with its grants and consents, unless the configuration declares it; `false`
/// when there is none such.
pub async fn delete(tx: &mut Tx, id: &ClientId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM clients WHERE id = $1 AND NOT (declared AND disabled_at IS NULL)")
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// Whether there is a client with this id, disabled or not.
pub async fn exists(conn: &mut Conn, id: &ClientId) -> Result<bool, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM clients WHERE id = $1)")
            .bind(id)
            .fetch_one(conn)
            .await
    })
}

/// Removes what is left of a client that was disabled: its id may be given again, without its past.
pub async fn delete_disabled(tx: &mut Tx, id: &ClientId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM clients WHERE id = $1 AND disabled_at IS NOT NULL")
            .bind(id)
            .execute(conn)
            .await
            .map(drop)
    })
}
