//! People, as operators see them.

use chrono::{DateTime, Utc};
use platform::secret::SecretString;

use super::Operator;
use crate::{
    audit::Event,
    config::{self, Config, Passwords},
    email::Email,
    oauth2::approval,
    oidc::standard_claims,
    password::{Busy, Password, Pool, Weakness},
    store::{self, ClientId, UserId, factors, grants, sessions, sign_ins, users},
};

pub use crate::store::users::User;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this is not an e-mail address")]
    Email,
    #[error("{0}")]
    Password(#[from] Weakness),
    #[error("somebody has this address already")]
    Taken,
    #[error("there is nobody with this address")]
    Unknown,
    #[error("{0} {1}")]
    Claim(String, &'static str),
    #[error("this person has allowed no such app anything")]
    NotConnected,
    #[error("argon2 cannot be used: {0}")]
    Argon2(String),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
}

/// Makes an account that can log in at once.
pub async fn add(
    operator: &Operator,
    passwords: &Passwords,
    email: &str,
    name: &str,
    password: &SecretString,
    now: DateTime<Utc>,
) -> Result<UserId, Error> {
    let email = Email::parse(email).ok_or(Error::Email)?;
    let hash = hash(passwords, password, &[&email.normalized, name]).await?;
    let user = users::NewUser {
        email: &email.typed,
        email_normalized: &email.normalized,
        name,
        password_hash: Some(&hash),
    };
    let mut tx = operator.db.write().await?;
    let id = users::insert(&mut tx, user, now).await?.ok_or(Error::Taken)?;
    operator.record(&mut tx, Some(id), Event::UserAdded, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// At most `limit` people, oldest first, after `after`.
pub async fn list(operator: &Operator, after: Option<UserId>, limit: i64) -> Result<Vec<User>, Error> {
    let mut conn = operator.db.read().await?;
    Ok(users::list(&mut conn, after, limit).await?)
}

/// Shuts somebody out: their sessions end, nothing that was issued to them is good for more.
pub async fn disable(operator: &Operator, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let mut tx = operator.db.write().await?;
    users::set_disabled(&mut tx, id, Some(now)).await?;
    end_everything(&mut tx, id, now).await?;
    operator.record(&mut tx, Some(id), Event::UserDisabled, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Lets somebody in again, also whose account is to be deleted. What ended stays ended: they log in anew.
pub async fn enable(operator: &Operator, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let mut tx = operator.db.write().await?;
    users::set_disabled(&mut tx, id, None).await?;
    users::set_delete_at(&mut tx, id, None).await?;
    operator.record(&mut tx, Some(id), Event::UserEnabled, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes an account as its owner can: from now on nobody is let in, and later nothing is left of it. Returns when.
pub async fn delete(
    operator: &Operator,
    config: &Config,
    email: &str,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    let id = find(operator, email).await?;
    let delete_at = now + config::seconds(config.deletion_grace);
    let mut tx = operator.db.write().await?;
    users::set_delete_at(&mut tx, id, Some(delete_at)).await?;
    end_everything(&mut tx, id, now).await?;
    operator.record(&mut tx, Some(id), Event::DeletionRequested { delete_at }, now).await?;
    tx.commit().await?;
    Ok(delete_at)
}

/// Deletes an account, with all that was its owner's.
pub async fn delete_now(operator: &Operator, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let mut tx = operator.db.write().await?;
    // Apps are told that the sessions have ended.
    end_everything(&mut tx, id, now).await?;
    users::delete(&mut tx, id).await?;
    operator.record(&mut tx, Some(id), Event::UserDeleted, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes the accounts whose time has come; returns how many.
pub async fn delete_due(operator: &Operator, now: DateTime<Utc>) -> Result<u64, store::Error> {
    let mut deleted = 0;
    loop {
        let mut tx = operator.db.write().await?;
        let Some(id) = users::delete_due(&mut tx, now).await? else { return Ok(deleted) };
        operator.log.record_due(&mut tx, Some(id), Event::UserDeleted, now).await?;
        tx.commit().await?;
        deleted += 1;
    }
}

/// Takes back what somebody allowed a client, and all that it got by that.
pub async fn disconnect(
    operator: &Operator,
    email: &str,
    client_id: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let client_id = ClientId(client_id.to_owned());
    let mut tx = operator.db.write().await?;
    if !approval::take_back(&mut tx, id, &client_id, now).await? {
        return Err(Error::NotConnected);
    }
    operator.record(&mut tx, Some(id), Event::AppDisconnected { client_id }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes one claim about somebody, as OpenID Connect Core §5.1 names them (`phone_number`, `address.locality`);
/// no `text` removes it.
pub async fn set_claim(
    operator: &Operator,
    email: &str,
    claim: &str,
    text: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let mut tx = operator.db.write().await?;
    let mut user = users::find(&mut tx, id).await?.ok_or(Error::Unknown)?;
    let refused = |reason| Error::Claim(claim.to_owned(), reason);
    match (claim, text.map(str::trim)) {
        ("name", name) => {
            user.name = standard_claims::plain(name.unwrap_or_default()).map_err(refused)?.to_owned();
        }
        (claim, text) => standard_claims::set(&mut user.claims, claim, text).map_err(refused)?,
    }
    users::set_claims(&mut tx, id, &user.name, user.claims, now).await?;
    operator.record(&mut tx, Some(id), Event::ProfileChanged { claims: vec![claim.to_owned()] }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets a password; all sessions end, and all that clients hold.
pub async fn set_password(
    operator: &Operator,
    passwords: &Passwords,
    email: &str,
    password: &SecretString,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let hash = hash(passwords, password, &[email]).await?;
    let mut tx = operator.db.write().await?;
    users::set_password(&mut tx, id, &hash, now).await?;
    end_everything(&mut tx, id, now).await?;
    operator.record(&mut tx, Some(id), Event::PasswordReset, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes somebody's second factors, and whatever stands in for them; all sessions end, and all that clients hold.
pub async fn reset_second_factors(operator: &Operator, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = find(operator, email).await?;
    let mut tx = operator.db.write().await?;
    users::lock(&mut tx, id).await?;
    factors::forget(&mut tx, id, DateTime::UNIX_EPOCH).await?;
    end_everything(&mut tx, id, now).await?;
    operator.record(&mut tx, Some(id), Event::SecondFactorsReset, now).await?;
    tx.commit().await?;
    Ok(())
}

/// All that somebody has by a log-in, or is about to get.
pub(crate) async fn end_everything(
    tx: &mut store::Tx,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    sessions::end_all(tx, id, now).await?;
    sign_ins::end_all(tx, id).await?;
    grants::revoke_all(tx, id, now).await
}

async fn find(operator: &Operator, email: &str) -> Result<UserId, Error> {
    let email = Email::parse(email).ok_or(Error::Email)?;
    let mut conn = operator.db.read().await?;
    let user = users::find_by_email(&mut conn, &email.normalized).await?;
    user.map(|user| user.id).ok_or(Error::Unknown)
}

async fn hash(config: &Passwords, password: &SecretString, hints: &[&str]) -> Result<String, Error> {
    let password = Password::chosen(password, hints, config.min_score)?;
    Ok(Pool::start(config).map_err(Error::Argon2)?.hash(password).await?)
}
