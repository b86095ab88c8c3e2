//! Registered clients (RFC 7591 names).

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{ClientId, Conn, Error, Tx, Words};

#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    /// Of those that authenticate with a secret.
    pub secret_hash: Option<SecretHash>,
    /// A JWK Set, of those that authenticate with a key.
    pub jwks: Option<String>,
    /// `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`.
    pub token_endpoint_auth_method: String,
    #[sqlx(try_from = "String")]
    pub redirect_uris: Words,
    #[sqlx(try_from = "String")]
    pub post_logout_redirect_uris: Words,
    #[sqlx(try_from = "String")]
    pub grant_types: Words,
    /// All that it may ask for, space-separated.
    pub scope: String,
    /// Of its access tokens when it names no `resource`; may be empty.
    pub audience: String,
    /// Nobody is asked for consent.
    pub first_party: bool,
    pub require_pkce: bool,
    /// RFC 9126 §6.
    pub require_pushed_authorization_requests: bool,
    /// Comes from the configuration file.
    pub declared: bool,
}

impl Client {
    /// It cannot keep a secret: nothing proves who it is (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == "none"
    }
}

/// A client that is not disabled.
pub async fn find_live(conn: &mut Conn, id: &ClientId) -> Result<Option<Client>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, name, secret_hash, jwks, token_endpoint_auth_method, redirect_uris,
                    post_logout_redirect_uris, grant_types, scope, audience, first_party, require_pkce,
                    require_pushed_authorization_requests, declared
             FROM clients WHERE id = $1 AND disabled_at IS NULL",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// Every client that is not disabled, by id.
pub async fn list(conn: &mut Conn) -> Result<Vec<Client>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, name, secret_hash, jwks, token_endpoint_auth_method, redirect_uris,
                    post_logout_redirect_uris, grant_types, scope, audience, first_party, require_pkce,
                    require_pushed_authorization_requests, declared
             FROM clients WHERE disabled_at IS NULL ORDER BY id",
        )
        .fetch_all(conn)
        .await
    })
}

/// Registers a client; `false` when its id is taken. A declared client becomes what the configuration
/// says of it, and keeps what people consented to.
pub async fn put(tx: &mut Tx, client: &Client, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO clients (id, name, secret_hash, jwks, token_endpoint_auth_method, redirect_uris,
                 post_logout_redirect_uris, grant_types, scope, audience, first_party, require_pkce,
                 require_pushed_authorization_requests, declared, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, secret_hash = excluded.secret_hash, jwks = excluded.jwks,
                 token_endpoint_auth_method = excluded.token_endpoint_auth_method,
                 redirect_uris = excluded.redirect_uris,
                 post_logout_redirect_uris = excluded.post_logout_redirect_uris,
                 grant_types = excluded.grant_types, scope = excluded.scope, audience = excluded.audience,
                 first_party = excluded.first_party, require_pkce = excluded.require_pkce,
                 require_pushed_authorization_requests = excluded.require_pushed_authorization_requests,
                 declared = excluded.declared, disabled_at = NULL
             WHERE excluded.declared",
        )
        .bind(&client.id)
        .bind(&client.name)
        .bind(&client.secret_hash)
        .bind(&client.jwks)
        .bind(&client.token_endpoint_auth_method)
        .bind(client.redirect_uris.to_string())
        .bind(client.post_logout_redirect_uris.to_string())
        .bind(client.grant_types.to_string())
        .bind(&client.scope)
        .bind(&client.audience)
        .bind(client.first_party)
        .bind(client.require_pkce)
        .bind(client.require_pushed_authorization_requests)
        .bind(client.declared)
        .bind(now)
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

/// Removes a client, disabled or not, with its grants and consents; `false` when there is none.
pub async fn delete(tx: &mut Tx, id: &ClientId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM clients WHERE id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
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
