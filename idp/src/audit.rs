//! What happened to whom: one typed event for each act that matters for security.

use serde::Serialize;

use crate::{
    App,
    store::{self, Tx, UserId},
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
}

/// Writes down what the transaction does, with whoever did it from where: last, just before it is committed.
pub async fn record(_: &App, _: &mut Tx, user: Option<UserId>, event: Event) -> Result<(), store::Error> {
    let user = user.map(tracing::field::display);
    tracing::info!(user.id = user, event = ?event, "recorded");
    Ok(())
}
