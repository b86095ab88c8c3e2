//! Registering clients: from the configuration and by operators.

mod settings;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use platform::{
    db::Db,
    secret::{self, ExposeSecret, SecretHash, SecretString},
};

use crate::{
    config::ClientConfig,
    store::{
        self, ClientId, Tx, client_metadata_documents, client_registrations, clients,
        clients::{Client, Listed},
        grants, initial_access_tokens,
    },
};

pub(crate) use settings::client;
pub use settings::{check, has_grant_type};

const SECRET: &str = "lks_";
const INITIAL_ACCESS_TOKEN: &str = "lki_";

/// Why a client was not registered, or not found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error("there is a client with this id already")]
    Taken,
    #[error("there is no such client")]
    Unknown,
    #[error("this client is declared in the configuration; change it there")]
    Declared,
    #[error("cannot read {0}: {1}")]
    File(std::path::PathBuf, std::io::Error),
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
}

/// Makes the declared clients be as the configuration says; those that it says no more are disabled.
pub async fn declare(db: &Db, configured: &[ClientConfig], now: DateTime<Utc>) -> Result<(), Error> {
    let configured = configured.iter().map(|config| client(config, true)).collect::<Result<Vec<_>, _>>()?;
    let ids: BTreeSet<&ClientId> = configured.iter().map(|client| &client.id).collect();
    let mut tx = db.write().await?;
    for Listed { client: known, disabled_at } in clients::list(&mut tx).await? {
        if known.declared && disabled_at.is_none() && !ids.contains(&known.id) {
            clients::disable(&mut tx, &known.id, now).await?;
        }
    }
    for client in &configured {
        // In the order in which whoever changes a registration, or fetches a document, locks these rows.
        client_registrations::forget(&mut tx, &client.id).await?;
        clients::put(&mut tx, client, now).await?;
        client_metadata_documents::forget(&mut tx, &client.id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Registers a client. `confidential`: a secret is made; it is returned here and never again.
pub async fn add(
    db: &Db,
    mut config: ClientConfig,
    confidential: bool,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>, Error> {
    let secret = confidential.then(|| secret::generate(SECRET));
    config.client_secret = secret.clone();
    let client = client(&config, false)?;
    let mut tx = db.write().await?;
    clients::delete_disabled(&mut tx, &client.id).await?;
    if !clients::put(&mut tx, &client, now).await? {
        return Err(Error::Taken);
    }
    tx.commit().await?;
    Ok(secret)
}

pub async fn list(db: &Db) -> Result<Vec<Listed>, Error> {
    let mut conn = db.read().await?;
    Ok(clients::list(&mut conn).await?)
}

/// Who has registered itself (RFC 7591).
pub async fn list_registered(db: &Db) -> Result<BTreeSet<ClientId>, Error> {
    let mut conn = db.read().await?;
    Ok(client_registrations::list_ids(&mut conn).await?.into_iter().collect())
}

/// Makes a token that lets `uses` apps register themselves (RFC 7591 §3).
pub async fn allow_registration(
    db: &Db,
    uses: u32,
    expires_at: DateTime<Utc>,
) -> Result<SecretString, Error> {
    let token = secret::generate(INITIAL_ACCESS_TOKEN);
    let mut tx = db.write().await?;
    let hash = SecretHash::of(token.expose_secret());
    initial_access_tokens::insert(&mut tx, &hash, uses.into(), expires_at).await?;
    tx.commit().await?;
    Ok(token)
}

pub async fn find(db: &Db, id: &str) -> Result<Client, Error> {
    let mut conn = db.read().await?;
    clients::find_live(&mut conn, &ClientId(id.to_owned())).await?.ok_or(Error::Unknown)
}

/// Removes a client with all that it was granted.
pub async fn remove(db: &Db, id: &str) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = db.write().await?;
    if !clients::delete(&mut tx, &id).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    tx.commit().await?;
    Ok(())
}

/// Shuts a client out, whatever its registration token or the metadata at its address say. What people allowed it
/// is remembered; what it got by that is good for nothing more.
pub async fn disable(db: &Db, id: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = db.write().await?;
    if !clients::set_disabled(&mut tx, &id, Some(now)).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    grants::revoke_client_of_all(&mut tx, &id, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Lets a client in again. What ended stays ended: people log in to it anew.
pub async fn enable(db: &Db, id: &str) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = db.write().await?;
    if !clients::set_disabled(&mut tx, &id, None).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    tx.commit().await?;
    Ok(())
}

/// Why a client stayed as it is. It explains, it does not decide.
async fn unchanged(tx: &mut Tx, id: &ClientId) -> Result<Error, Error> {
    Ok(if clients::exists(tx, id).await? { Error::Declared } else { Error::Unknown })
}
