//! Registering clients: from the configuration and by operators.

mod settings;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use platform::secret::{self, ExposeSecret, SecretHash, SecretString};

use super::Operator;
use crate::{
    audit::Event,
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
pub async fn declare(
    operator: &Operator,
    configured: &[ClientConfig],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let configured = configured.iter().map(|config| client(config, true)).collect::<Result<Vec<_>, _>>()?;
    let ids: BTreeSet<&ClientId> = configured.iter().map(|client| &client.id).collect();
    let mut tx = operator.db.write().await?;
    let mut known = BTreeMap::new();
    let mut events = Vec::new();
    for Listed { client, disabled_at } in clients::list(&mut tx).await? {
        if client.declared && disabled_at.is_none() && !ids.contains(&client.id) {
            clients::disable(&mut tx, &client.id, now).await?;
            events.push(Event::ClientDisabled { client_id: client.id.clone() });
        }
        known.insert(client.id.clone(), (client, disabled_at));
    }
    for client in &configured {
        // In the order in which whoever changes a registration, or fetches a document, locks these rows.
        client_registrations::forget(&mut tx, &client.id).await?;
        clients::put(&mut tx, client, now).await?;
        client_metadata_documents::forget(&mut tx, &client.id).await?;
        let client_id = client.id.clone();
        match known.get(&client.id) {
            None => events.push(Event::ClientAdded { client_id }),
            Some((_, Some(_))) => events.push(Event::ClientEnabled { client_id }),
            Some((known, None)) if known != client => events.push(Event::ClientChanged { client_id }),
            Some(_) => {}
        }
    }
    for event in events {
        operator.record(&mut tx, None, event, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Registers a client. `confidential`: a secret is made; it is returned here and never again.
pub async fn add(
    operator: &Operator,
    mut config: ClientConfig,
    confidential: bool,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>, Error> {
    let secret = confidential.then(|| secret::generate(SECRET));
    config.client_secret = secret.clone();
    let client = client(&config, false)?;
    let mut tx = operator.db.write().await?;
    clients::delete_disabled(&mut tx, &client.id).await?;
    if !clients::put(&mut tx, &client, now).await? {
        return Err(Error::Taken);
    }
    operator.record(&mut tx, None, Event::ClientAdded { client_id: client.id }, now).await?;
    tx.commit().await?;
    Ok(secret)
}

pub async fn list(operator: &Operator) -> Result<Vec<Listed>, Error> {
    let mut conn = operator.db.read().await?;
    Ok(clients::list(&mut conn).await?)
}

/// Who has registered itself (RFC 7591).
pub async fn list_registered(operator: &Operator) -> Result<BTreeSet<ClientId>, Error> {
    let mut conn = operator.db.read().await?;
    Ok(client_registrations::list_ids(&mut conn).await?.into_iter().collect())
}

/// Makes a token that lets `uses` apps register themselves (RFC 7591 §3).
pub async fn allow_registration(
    operator: &Operator,
    uses: u32,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<SecretString, Error> {
    let token = secret::generate(INITIAL_ACCESS_TOKEN);
    let mut tx = operator.db.write().await?;
    let hash = SecretHash::of(token.expose_secret());
    initial_access_tokens::insert(&mut tx, &hash, uses.into(), expires_at).await?;
    operator.record(&mut tx, None, Event::RegistrationTokenMade { uses }, now).await?;
    tx.commit().await?;
    Ok(token)
}

pub async fn find(operator: &Operator, id: &str) -> Result<Client, Error> {
    let mut conn = operator.db.read().await?;
    clients::find_live(&mut conn, &ClientId(id.to_owned())).await?.ok_or(Error::Unknown)
}

/// Removes a client with all that it was granted.
pub async fn remove(operator: &Operator, id: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = operator.db.write().await?;
    if !clients::delete(&mut tx, &id).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    operator.record(&mut tx, None, Event::ClientRemoved { client_id: id }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Shuts a client out, whatever its registration token or the metadata at its address say. What people allowed it
/// is remembered; what it got by that is good for nothing more.
pub async fn disable(operator: &Operator, id: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = operator.db.write().await?;
    if !clients::set_disabled(&mut tx, &id, Some(now)).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    grants::revoke_client_of_all(&mut tx, &id, now).await?;
    operator.record(&mut tx, None, Event::ClientDisabled { client_id: id }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Lets a client in again. What ended stays ended: people log in to it anew.
pub async fn enable(operator: &Operator, id: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let id = ClientId(id.to_owned());
    let mut tx = operator.db.write().await?;
    if !clients::set_disabled(&mut tx, &id, None).await? {
        return Err(unchanged(&mut tx, &id).await?);
    }
    operator.record(&mut tx, None, Event::ClientEnabled { client_id: id }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Why a client stayed as it is. It explains, it does not decide.
async fn unchanged(tx: &mut Tx, id: &ClientId) -> Result<Error, Error> {
    Ok(if clients::exists(tx, id).await? { Error::Declared } else { Error::Unknown })
}
