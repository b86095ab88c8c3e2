//! The audit log: who did what to whose account, or to what the place is made of, and when.
//!
//! Written by the transaction that does the thing, so that neither is there without the other. Each event's `mac` is an
//! HMAC-SHA256 over the `mac` before it and the event itself, under a key that comes from the key ring's master secret:
//! whoever can write to the database, but does not have the key ring, cannot change, remove, insert or reorder events
//! without [`Log::verify`] finding out. The head has a tag of its own, so that the newest events cannot be cut off
//! either, except by somebody who has an older copy of it: whoever fears that keeps a [`Mark`] elsewhere.

mod chain;
mod event;
mod verify;

use std::path::Path;

use chrono::{DateTime, Utc};
use platform::{db::Db, http};
use serde_json::{Map, Value};

pub use chain::Log;
pub use event::{Event, Factor, Replayed};
pub use verify::{Mark, Verdict};

use crate::{
    App, config, keys,
    mail::notices,
    store::{
        ClientId, Error, SessionId, Tx, UserId,
        audit_events::{self, AuditEvent, Listed},
    },
};

/// How many events are read at a time.
const PAGE: i64 = 500;

/// Adds an event about `user`, in the transaction that does what it tells of: last before the commit, as everybody
/// else's next event waits for this transaction from here on.
pub(crate) async fn record(app: &App, tx: &mut Tx, user: Option<UserId>, event: Event) -> Result<(), Error> {
    notices::owe(app, tx, user, &event).await?;
    app.audit.append(tx, user, &event, Origin::Call, app.clock.now()).await
}

/// Adds an event that nothing else is done with: somebody has tried in vain.
pub(crate) async fn record_alone(app: &App, user: Option<UserId>, event: Event) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    record(app, &mut tx, user, event).await?;
    tx.commit().await
}

/// Removes what is older than the configuration says.
pub(crate) async fn retain(app: &App) -> Result<(), Error> {
    let retention = app.config.audit.retention;
    if retention > 0 {
        app.audit.retain(&app.db, app.clock.now() - config::seconds(retention)).await?;
    }
    Ok(())
}

/// Where an act came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The request that is being answered.
    Call,
    /// The command line, or the configuration.
    Operator,
    /// Nobody: its time had come.
    Time,
}

impl Log {
    /// The log that belongs to a key ring.
    pub fn open(keys_dir: &Path) -> Result<Self, keys::OpenError> {
        Ok(Self::new(&keys::master_secret(keys_dir)?))
    }

    /// What [`record`] is to requests, for operators.
    pub(crate) async fn record_operator(
        &self,
        tx: &mut Tx,
        user: Option<UserId>,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.append(tx, user, &event, Origin::Operator, now).await
    }

    /// The same for what happens by itself.
    pub(crate) async fn record_due(
        &self,
        tx: &mut Tx,
        user: Option<UserId>,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.append(tx, user, &event, Origin::Time, now).await
    }

    async fn append(
        &self,
        tx: &mut Tx,
        user_id: Option<UserId>,
        event: &Event,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Columns { name, client_id, session_id, mut details } = Columns::of(event)?;
        let call = (origin == Origin::Call).then(http::current);
        if origin == Origin::Operator {
            details.insert("actor".to_owned(), "operator".into());
        }
        let user_agent = call.and_then(|_| http::user_agent());
        let (seq, previous, tag) = audit_events::next(tx).await?;
        let mut row = AuditEvent {
            seq,
            at: now,
            event: name,
            user_id,
            client_id,
            session_id,
            address: call.map(|call| call.client.to_string()),
            user_agent,
            request_id: call.map(|call| call.id),
            outcome: event.outcome().to_owned(),
            details: Value::Object(details).to_string(),
            mac: Vec::new(),
        };
        row.mac = self.mac(&previous, &row);
        let tag = if self.is_head(seq - 1, &previous, &tag) {
            self.head_tag(seq, &row.mac)
        } else {
            // Work goes on, and the head stays without a tag: a good one would hide that somebody has moved it.
            tracing::error!("the head of the audit log was tampered with before event {seq}");
            Vec::new()
        };
        audit_events::insert(tx, &row, &tag).await?;
        tracing::info!(
            user.id = row.user_id.map(tracing::field::display),
            client.id = row.client_id.map(tracing::field::display),
            session.id = row.session_id.map(tracing::field::display),
            seq,
            "recorded: {}",
            row.event
        );
        Ok(())
    }

    /// Removes what happened before `before`, from the oldest end; returns how many events. What was tampered with is not
    /// removed, nor anything after it: that would take the traces away.
    pub async fn retain(&self, db: &Db, before: DateTime<Utc>) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let mut tx = db.write().await?;
            let Some(head) = audit_events::head(&mut tx).await? else { return Ok(removed) };
            if !self.is_anchor(head.anchor_seq, &head.anchor_mac, &head.anchor_tag) {
                tracing::error!("the oldest end of the audit log was tampered with: it is kept as it is");
                return Ok(removed);
            }
            let oldest = audit_events::list(&mut tx, head.anchor_seq, PAGE).await?;
            let (mut seq, mut mac) = (head.anchor_seq, head.anchor_mac);
            for event in oldest.into_iter().take_while(|event| event.at < before) {
                if event.seq != seq + 1 || !self.continues(&mac, &event) {
                    tracing::error!(
                        "the audit log does not verify at event {}: it is kept as it is",
                        seq + 1
                    );
                    return Ok(removed);
                }
                (seq, mac) = (event.seq, event.mac);
            }
            if seq == head.anchor_seq
                || !audit_events::remove(&mut tx, seq, &mac, &self.anchor_tag(seq, &mac)).await?
            {
                return Ok(removed);
            }
            tx.commit().await?;
            removed += u64::try_from(seq - head.anchor_seq).unwrap_or_default();
        }
    }
}

/// An event as its row has it: what has no column of its own is in the details.
struct Columns {
    name: String,
    client_id: Option<ClientId>,
    session_id: Option<SessionId>,
    details: Map<String, Value>,
}

impl Columns {
    fn of(event: &Event) -> Result<Self, Error> {
        let unfit = |error: serde_json::Error| Error::Encode(error.into());
        let mut details: Map<String, Value> =
            serde_json::to_value(event).and_then(serde_json::from_value).map_err(unfit)?;
        let mut take = |name| details.remove(name).unwrap_or_default();
        let (name, client_id, session_id) = (take("event"), take("client_id"), take("session"));
        Ok(Self {
            name: serde_json::from_value(name).map_err(unfit)?,
            client_id: serde_json::from_value(client_id).map_err(unfit)?,
            session_id: serde_json::from_value(session_id).map_err(unfit)?,
            details,
        })
    }
}

impl AuditEvent {
    /// What happened; `None` for what another version wrote.
    #[must_use]
    pub fn read(&self) -> Option<Event> {
        let mut whole: Map<String, Value> = serde_json::from_str(&self.details).ok()?;
        whole.insert("event".to_owned(), self.event.as_str().into());
        whole.insert("client_id".to_owned(), serde_json::to_value(&self.client_id).ok()?);
        whole.insert("session".to_owned(), serde_json::to_value(self.session_id).ok()?);
        serde_json::from_value(Value::Object(whole)).ok()
    }

    /// Whether an operator did it, not a request.
    #[must_use]
    pub fn by_operator(&self) -> bool {
        let details: Option<Map<String, Value>> = serde_json::from_str(&self.details).ok();
        details.is_some_and(|details| details.get("actor").is_some_and(|actor| actor == "operator"))
    }
}

impl Listed {
    /// A sentence without its end.
    #[must_use]
    pub fn words(&self) -> String {
        let id = self.event.client_id.as_ref().map(|id| id.0.as_str());
        let app = self.client_name.as_deref().or(id).unwrap_or("an app");
        let words = match self.event.read() {
            Some(event) => event.words(app),
            None => self.event.event.replace('_', " "),
        };
        if self.event.by_operator() { format!("{words}, by the administrator") } else { words }
    }
}
