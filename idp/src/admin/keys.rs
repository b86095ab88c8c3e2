//! Replacing signing keys.

use chrono::{DateTime, Utc};

use super::Operator;
use crate::{
    Config,
    audit::Event,
    config,
    keys::{KeyRing, OpenError, Rotation},
    store,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Ring(#[from] OpenError),
    #[error("the keys were rotated, but the database failed, so that the audit log does not tell of it: {0}")]
    Store(#[from] store::Error),
}

pub async fn rotate(
    operator: &Operator,
    ring: &KeyRing,
    rotation: Rotation,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // An ID token that has expired still says which session is to be logged out of.
    let longest = config.longest_access_token_lifetime().max(config.sessions.lifetime);
    ring.rotate(rotation, config::seconds(longest), now)?;
    let mut tx = operator.db.write().await?;
    let event = Event::KeysRotated { compromised: rotation == Rotation::Now };
    operator.record(&mut tx, None, event, now).await?;
    Ok(tx.commit().await?)
}
