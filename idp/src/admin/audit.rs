//! Reading the audit log.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Operator;
use crate::{
    audit::{Mark, Verdict},
    email::Email,
    store::{
        self, ClientId, SessionId, UserId,
        audit_events::{self, AuditEvent, Listed, Wanted},
        users,
    },
};

/// How many events [`export`] reads at a time.
const PAGE: i64 = 500;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is nobody with this address; whoever was deleted is found by the account's id")]
    Unknown,
    #[error("the database failed: {0}")]
    Store(#[from] store::Error),
}

/// Which events are to be shown; without a word about it, all.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// An e-mail address or an id (`sub`).
    pub user: Option<&'a str>,
    /// As in `latchkey audit export`: `logged_in`.
    pub event: Option<&'a str>,
    pub since: Option<DateTime<Utc>>,
}

/// An event, for eyes.
#[derive(Debug)]
pub struct Line {
    pub at: DateTime<Utc>,
    /// What happened.
    pub words: String,
    /// Their e-mail address, or the id of somebody who is gone.
    pub user: String,
    /// Empty for what operators did.
    pub address: String,
}

/// At most `limit` events, newest first.
pub async fn list(operator: &Operator, filter: &Filter<'_>, limit: u32) -> Result<Vec<Line>, Error> {
    let mut conn = operator.db.read().await?;
    let user_id = match filter.user {
        None => None,
        Some(text) => match (text.parse().map(UserId), Email::parse(text)) {
            (Ok(id), _) => Some(id),
            (Err(_), Some(email)) => {
                let user = users::find_by_email(&mut conn, &email.normalized).await?;
                Some(user.ok_or(Error::Unknown)?.id)
            }
            (Err(_), None) => return Err(Error::Unknown),
        },
    };
    let wanted = Wanted { event: filter.event.map(str::to_owned), since: filter.since, before: None };
    let events = match user_id {
        Some(id) => audit_events::search_of(&mut conn, id, &wanted, limit.into()).await?,
        None => audit_events::search(&mut conn, &wanted, limit.into()).await?,
    };
    let line = |listed: Listed| Line {
        at: listed.event.at,
        words: listed.words(),
        user: listed.user_email.or(listed.event.user_id.map(|id| id.to_string())).unwrap_or_default(),
        address: listed.event.address.unwrap_or_default(),
    };
    Ok(events.into_iter().map(line).collect())
}

/// Walks along the whole log. `kept`: a mark of an earlier walk.
pub async fn verify(operator: &Operator, kept: Option<&Mark>) -> Result<Verdict, Error> {
    Ok(operator.log.verify(&operator.db, kept).await?)
}

/// An event with all that is stored of it.
#[derive(Debug, Serialize)]
pub struct Exported {
    pub seq: i64,
    at: String,
    pub event: String,
    user_id: Option<UserId>,
    client_id: Option<ClientId>,
    session_id: Option<SessionId>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<Uuid>,
    outcome: String,
    details: serde_json::Value,
    /// `<seq>:<mac>`, as `latchkey audit verify` prints it.
    mark: String,
}

impl From<AuditEvent> for Exported {
    fn from(event: AuditEvent) -> Self {
        Self {
            mark: Mark::of(&event).to_string(),
            seq: event.seq,
            at: event.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            details: serde_json::from_str(&event.details).unwrap_or_default(),
            event: event.event,
            user_id: event.user_id,
            client_id: event.client_id,
            session_id: event.session_id,
            address: event.address,
            user_agent: event.user_agent,
            request_id: event.request_id,
            outcome: event.outcome,
        }
    }
}

/// The events after `after`, oldest first; none at the end.
pub async fn export(operator: &Operator, after: i64) -> Result<Vec<Exported>, Error> {
    let mut conn = operator.db.read().await?;
    let page = audit_events::list(&mut conn, after, PAGE).await?;
    Ok(page.into_iter().map(Exported::from).collect())
}
