//! What happened to whom: one typed event for each act that matters for security.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    App,
    store::{self, ClientId, SessionId, Tx, UserId},
};

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    SignedUp,
    /// RFC 8176 names of what was proved.
    LoggedIn {
        amr: String,
    },
    LoggedOut,
    /// Names of what was changed, of OpenID Connect Core §5.1.
    ProfileChanged {
        claims: Vec<String>,
    },
    PasswordChanged,
    /// From another browser.
    SessionEnded {
        session: SessionId,
    },
    OtherSessionsEnded,
    AppDisconnected {
        client_id: ClientId,
    },
    DeviceDisconnected {
        client_id: ClientId,
    },
    DataExported,
    DeletionRequested {
        delete_at: DateTime<Utc>,
    },
    AccountKept,
    TotpOn,
    TotpOff,
    RecoveryCodesMade,
}

/// Writes down what the transaction does, with whoever did it from where: last, just before it is committed.
pub async fn record(_: &App, _: &mut Tx, user: Option<UserId>, event: Event) -> Result<(), store::Error> {
    let user = user.map(tracing::field::display);
    tracing::info!(user.id = user, event = ?event, "recorded");
    Ok(())
}
