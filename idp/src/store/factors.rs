//! What somebody has set up to log in with beside the password, in all the tables that hold it.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{Error, Tx, UserId};

const PASSKEYS: &str = "DELETE FROM passkeys WHERE user_id = $1 AND created_at >= $2";
const TOTP: &str = "DELETE FROM totp_secrets WHERE user_id = $1 AND created_at >= $2";
const RECOVERY_CODES: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND created_at >= $2";
const IDENTITIES: &str = "DELETE FROM upstream_identities WHERE user_id = $1 AND created_at >= $2";
/// Nothing that is under way is older than it may be.
const SETUPS: &str = "DELETE FROM totp_setups WHERE user_id = $1 AND expires_at >= $2";

/// What the person proves themselves by as a second factor, or alone: passkeys, authenticator app, recovery codes.
pub async fn forget(tx: &mut Tx, user_id: UserId, since: DateTime<Utc>) -> Result<(), Error> {
    for statement in [PASSKEYS, TOTP, RECOVERY_CODES, SETUPS] {
        delete(tx, statement, user_id, since).await?;
    }
    Ok(())
}

/// Where else they are known to be who they are.
pub async fn unlink(tx: &mut Tx, user_id: UserId, since: DateTime<Utc>) -> Result<(), Error> {
    delete(tx, IDENTITIES, user_id, since).await
}

async fn delete(
    tx: &mut Tx,
    statement: &'static str,
    user_id: UserId,
    since: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query(statement).bind(user_id).bind(since).execute(conn).await.map(drop))
}
