//! Removes what has expired, in small batches, so that no one waits long behind it.

use chrono::{DateTime, TimeDelta, Utc};
use platform::db::Db;

use super::Error;

/// Each removes at most `$2` rows. Spent codes stay until their grant goes, so that a replay is recognised.
const STATEMENTS: &[&str] = &[
    // As long as its session goes on, a grant says which client wants to know of the end.
    "DELETE FROM grants WHERE id IN (
         SELECT grants.id FROM grants
         JOIN clients ON clients.id = client_id JOIN sessions ON sessions.id = session_id
         WHERE grants.expires_at <= $1
         AND (backchannel_logout_uri IS NULL OR ended_at IS NOT NULL OR sessions.expires_at <= $1) LIMIT $2)",
    "DELETE FROM sessions WHERE id IN (
         SELECT id FROM sessions WHERE expires_at <= $1
         AND NOT EXISTS (SELECT 1 FROM grants WHERE session_id = sessions.id) LIMIT $2)",
    "DELETE FROM refresh_tokens WHERE token_hash IN (
         SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM revoked_access_tokens WHERE jti IN (
         SELECT jti FROM revoked_access_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM authorization_requests WHERE handle_hash IN (
         SELECT handle_hash FROM authorization_requests WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM pushed_authorization_requests WHERE handle_hash IN (
         SELECT handle_hash FROM pushed_authorization_requests WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM device_authorizations WHERE device_code_hash IN (
         SELECT device_code_hash FROM device_authorizations WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM client_assertions WHERE (client_id, jti_hash) IN (
         SELECT client_id, jti_hash FROM client_assertions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM dpop_proofs WHERE proof_hash IN (
         SELECT proof_hash FROM dpop_proofs WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM logout_deliveries WHERE (session_id, client_id) IN (
         SELECT session_id, client_id FROM logout_deliveries WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM mail_links WHERE token_hash IN (
         SELECT token_hash FROM mail_links WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM sign_ups WHERE id IN (SELECT id FROM sign_ups WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM mailed_codes WHERE handle_hash IN (
         SELECT handle_hash FROM mailed_codes WHERE expires_at <= $1 LIMIT $2)",
    // What an operator has said of a client stays, and so holds when its address is named again.
    "DELETE FROM clients WHERE NOT declared AND disabled_at IS NULL AND id IN (
         SELECT client_id FROM client_metadata_documents AS documents
         JOIN clients AS described ON described.id = client_id AND NOT declared AND disabled_at IS NULL
         WHERE fetched_at <= $1
         AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = documents.client_id)
         AND NOT EXISTS (SELECT 1 FROM consents WHERE consents.client_id = documents.client_id) LIMIT $2)",
    "DELETE FROM initial_access_tokens WHERE token_hash IN (
         SELECT token_hash FROM initial_access_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM sign_ins WHERE token_hash IN (SELECT token_hash FROM sign_ins WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM restorations WHERE token_hash IN (
         SELECT token_hash FROM restorations WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM totp_setups WHERE (user_id, browser) IN (
         SELECT user_id, browser FROM totp_setups WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM refusals WHERE request_id IN (SELECT request_id FROM refusals WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM upstream_sign_ins WHERE state_hash IN (
         SELECT state_hash FROM upstream_sign_ins WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM upstream_arrivals WHERE handle_hash IN (
         SELECT handle_hash FROM upstream_arrivals WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM passkey_ceremonies WHERE challenge_hash IN (
         SELECT challenge_hash FROM passkey_ceremonies WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE expires_at <= $1 LIMIT $2)",
];

/// Removes everything that expired more than an hour before `now`; returns how many rows.
pub async fn sweep(db: &Db, now: DateTime<Utc>) -> Result<u64, Error> {
    db.sweep(STATEMENTS, now - TimeDelta::hours(1)).await
}
