//! Somebody has shown that they read the mail of an account's address.

use chrono::DateTime;

use crate::{
    App, admin,
    audit::Event,
    store::{Error, Tx, factors, users, users::User},
};

/// Confirms the address; returns what is to be recorded, last in this transaction. If nobody had done that before,
/// whoever made the account may have given another's address: unless `maker` is known to be here, what was set up with
/// it dies, so that they do not wait inside for its owner.
pub async fn of_address(app: &App, tx: &mut Tx, person: &User, maker: bool) -> Result<Vec<Event>, Error> {
    if person.email_verified {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let mut events = vec![Event::EmailVerified];
    if !maker {
        events.push(Event::CredentialsReset);
        users::remove_password(tx, person.id, now).await?;
        factors::forget(tx, person.id, DateTime::UNIX_EPOCH).await?;
        factors::unlink(tx, person.id, DateTime::UNIX_EPOCH).await?;
        admin::users::end_everything(tx, person.id, now).await?;
    }
    users::confirm_email(tx, person.id, now).await?;
    Ok(events)
}
