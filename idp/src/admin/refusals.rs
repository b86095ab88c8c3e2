//! Saying why a request was refused.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Operator;
use crate::{
    refusals::advice,
    store::{self, clients, clients::Listed, refusals, users},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a reference looks like 01970f3e-6a5c-7bd1-a0a4-3f4c5d6e7f80")]
    Reference,
    #[error(
        "nothing is known of this reference: it was not refused by a rule, too long ago, or one of too many. The log has a line \
         with this id"
    )]
    Unknown,
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
}

/// Which rule refused a request, and what it was given.
#[derive(Debug)]
pub struct Explanation {
    pub at: DateTime<Utc>,
    pub route: String,
    pub address: String,
    /// The code that the client was told, or what kind of page it was.
    pub error: String,
    pub rule: String,
    /// What to do.
    pub advice: &'static str,
    /// Their e-mail address, or the id of somebody who is gone.
    pub user: Option<String>,
    /// By name.
    pub inputs: Vec<(String, String)>,
    pub client: Option<RegisteredClient>,
}

/// The client as it is registered now.
#[derive(Debug)]
pub struct RegisteredClient {
    pub id: String,
    /// `None`: it is gone.
    pub registered: Option<Listed>,
}

pub async fn explain(operator: &Operator, reference: &str) -> Result<Explanation, Error> {
    let id: Uuid = reference.trim().parse().map_err(|_| Error::Reference)?;
    let mut conn = operator.db.read().await?;
    let refusal = refusals::find(&mut conn, id).await?.ok_or(Error::Unknown)?;
    let user = match refusal.user_id {
        None => None,
        Some(id) => Some(users::find(&mut conn, id).await?.map_or(id.to_string(), |user| user.email)),
    };
    let client = match refusal.client_id {
        None => None,
        Some(id) => {
            let registered =
                clients::list(&mut conn).await?.into_iter().find(|listed| listed.client.id == id);
            Some(RegisteredClient { id: id.0, registered })
        }
    };
    let inputs: Map<String, Value> = serde_json::from_str(&refusal.inputs).unwrap_or_default();
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(Explanation {
        at: refusal.at,
        route: refusal.route,
        address: refusal.address,
        advice: advice(&refusal.error, &refusal.rule).unwrap_or("Search the log for this id."),
        error: refusal.error,
        rule: refusal.rule,
        user,
        inputs: inputs.into_iter().map(|(name, value)| (name, text(value))).collect(),
        client,
    })
}
