//! All that is stored about one person, in every table that names them: for the person. Hashes of what only they or
//! their browsers know stay out.

use chrono::{DateTime, Utc};
use platform::on_conn;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ClientId, Conn, Error, GrantId, MailId, PasskeyId, SessionId, UserId, users::PersonClaims};

/// The rows of a table, one object each, with the columns that are named.
macro_rules! rows {
    ($conn:expr, $user_id:expr, $statement:literal, { $($(#[$meta:meta])* $column:ident: $kind:ty),* $(,)? }) => {{
        #[derive(Serialize, sqlx::FromRow)]
        struct Row { $($(#[$meta])* $column: $kind),* }
        let rows: Vec<Row> = on_conn!($conn, |conn| {
            sqlx::query_as($statement).bind($user_id).fetch_all(conn).await
        })?;
        let members = serde_json::to_value(rows);
        members.map_err(|error| Error::Encode(Box::new(error)))?
    }};
}

/// Tables by name, and in each its rows. Every table with a `user_id` is among them.
pub async fn collect(conn: &mut Conn, user_id: UserId) -> Result<Map<String, Value>, Error> {
    let users = rows!(conn, user_id,
        "SELECT id, email, email_verified, name, claims, created_at, updated_at, disabled_at, delete_at
         FROM users WHERE id = $1", {
        id: UserId,
        email: String,
        email_verified: bool,
        name: String,
        #[sqlx(try_from = "String")] claims: PersonClaims,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        disabled_at: Option<DateTime<Utc>>,
        delete_at: Option<DateTime<Utc>>,
    });
    let sessions = rows!(conn, user_id,
        "SELECT id, amr, user_agent, address, auth_time, created_at, last_seen_at, expires_at, ended_at
         FROM sessions WHERE user_id = $1 ORDER BY id", {
        id: SessionId,
        amr: String,
        user_agent: String,
        address: String,
        auth_time: DateTime<Utc>,
        created_at: DateTime<Utc>,
        last_seen_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
    });
    let consents = rows!(conn, user_id,
        "SELECT client_id, scope, granted_at FROM consents WHERE user_id = $1 ORDER BY granted_at", {
        client_id: ClientId,
        scope: String,
        granted_at: DateTime<Utc>,
    });
    let grants = rows!(conn, user_id,
        "SELECT id, client_id, session_id, offline, scope, audience, claims, amr, device_address, auth_time,
                created_at, expires_at, revoked_at
         FROM grants WHERE user_id = $1 ORDER BY id", {
        id: GrantId,
        client_id: ClientId,
        session_id: SessionId,
        offline: bool,
        scope: String,
        audience: String,
        claims: String,
        amr: String,
        device_address: Option<String>,
        auth_time: DateTime<Utc>,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        revoked_at: Option<DateTime<Utc>>,
    });
    let logout_deliveries = rows!(conn, user_id,
        "SELECT session_id, client_id, attempts, due_at, expires_at FROM logout_deliveries WHERE user_id = $1
         ORDER BY session_id, client_id", {
        session_id: SessionId,
        client_id: ClientId,
        attempts: i64,
        due_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    });
    let sign_ins = rows!(conn, user_id,
        "SELECT amr, created_at, expires_at FROM sign_ins WHERE user_id = $1 ORDER BY created_at", {
        amr: String,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    });
    let restorations = rows!(conn, user_id,
        "SELECT amr, expires_at FROM restorations WHERE user_id = $1 ORDER BY expires_at", {
        amr: String,
        expires_at: DateTime<Utc>,
    });
    let outbox = rows!(conn, user_id,
        "SELECT id, purpose, letter, attempts, created_at, due_at, expires_at FROM outbox WHERE user_id = $1
         ORDER BY id", {
        id: MailId,
        purpose: String,
        letter: String,
        attempts: i64,
        created_at: DateTime<Utc>,
        due_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    });
    let mail_links = rows!(conn, user_id,
        "SELECT purpose, email, created_at, expires_at FROM mail_links WHERE user_id = $1 ORDER BY created_at", {
        purpose: String,
        email: String,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    });
    let mailed_codes = rows!(conn, user_id,
        "SELECT email, attempts, expires_at FROM mailed_codes WHERE user_id = $1 ORDER BY expires_at", {
        email: String,
        attempts: i64,
        expires_at: DateTime<Utc>,
    });
    let totp_secrets = rows!(conn, user_id, "SELECT created_at FROM totp_secrets WHERE user_id = $1", {
        created_at: DateTime<Utc>,
    });
    let totp_setups = rows!(conn, user_id,
        "SELECT expires_at FROM totp_setups WHERE user_id = $1 ORDER BY expires_at", {
        expires_at: DateTime<Utc>,
    });
    let recovery_codes = rows!(conn, user_id,
        "SELECT created_at FROM recovery_codes WHERE user_id = $1 ORDER BY created_at", {
        created_at: DateTime<Utc>,
    });
    let passkeys = rows!(conn, user_id,
        "SELECT id, name, backed_up, created_at, last_used_at FROM passkeys WHERE user_id = $1 ORDER BY id", {
        id: PasskeyId,
        name: String,
        backed_up: bool,
        created_at: DateTime<Utc>,
        last_used_at: Option<DateTime<Utc>>,
    });
    let passkey_ceremonies = rows!(conn, user_id,
        "SELECT purpose, expires_at FROM passkey_ceremonies WHERE user_id = $1 ORDER BY expires_at", {
        purpose: String,
        expires_at: DateTime<Utc>,
    });
    let upstream_sign_ins = rows!(conn, user_id,
        "SELECT upstream, created_at, expires_at FROM upstream_sign_ins WHERE user_id = $1 ORDER BY created_at", {
        upstream: String,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    });
    let upstream_identities = rows!(conn, user_id,
        "SELECT issuer, subject, label, created_at, last_used_at FROM upstream_identities WHERE user_id = $1
         ORDER BY created_at", {
        issuer: String,
        subject: String,
        label: String,
        created_at: DateTime<Utc>,
        last_used_at: DateTime<Utc>,
    });
    let upstream_arrivals = rows!(conn, user_id,
        "SELECT upstream, issuer, subject, name, email, expires_at FROM upstream_arrivals WHERE user_id = $1
         ORDER BY expires_at", {
        upstream: String,
        issuer: String,
        subject: String,
        name: String,
        email: Option<String>,
        expires_at: DateTime<Utc>,
    });
    let audit_events = rows!(conn, user_id,
        "SELECT at, event, client_id, session_id, address, user_agent, outcome, details
         FROM audit_events WHERE user_id = $1 ORDER BY seq", {
        at: DateTime<Utc>,
        event: String,
        client_id: Option<ClientId>,
        session_id: Option<SessionId>,
        address: Option<String>,
        user_agent: Option<String>,
        outcome: String,
        details: String,
    });
    let refusals = rows!(conn, user_id,
        "SELECT at, route, error, rule, client_id, address FROM refusals WHERE user_id = $1 ORDER BY at", {
        at: DateTime<Utc>,
        route: String,
        error: String,
        rule: String,
        client_id: Option<ClientId>,
        address: String,
    });
    let tables = [
        ("users", users),
        ("sessions", sessions),
        ("consents", consents),
        ("grants", grants),
        ("logout_deliveries", logout_deliveries),
        ("sign_ins", sign_ins),
        ("restorations", restorations),
        ("outbox", outbox),
        ("mail_links", mail_links),
        ("mailed_codes", mailed_codes),
        ("totp_secrets", totp_secrets),
        ("totp_setups", totp_setups),
        ("recovery_codes", recovery_codes),
        ("passkeys", passkeys),
        ("passkey_ceremonies", passkey_ceremonies),
        ("upstream_sign_ins", upstream_sign_ins),
        ("upstream_identities", upstream_identities),
        ("upstream_arrivals", upstream_arrivals),
        ("audit_events", audit_events),
        ("refusals", refusals),
    ];
    Ok(tables.into_iter().map(|(table, rows)| (table.to_owned(), rows)).collect())
}
