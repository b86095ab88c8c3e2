//! What operators do, for the command line: the same statements and rules as everything else.

pub mod audit;
pub mod clients;
pub mod keys;
pub mod refusals;
pub mod users;

use chrono::{DateTime, Utc};
use platform::db::Db;

use crate::{
    audit::{Event, Log},
    store::{Error, Tx, UserId},
};

/// Whoever sits at the command line: what they do is done to this database, and written into its audit log.
#[derive(Clone, Debug)]
pub struct Operator {
    db: Db,
    log: Log,
}

impl Operator {
    #[must_use]
    pub fn new(db: Db, log: Log) -> Self {
        Self { db, log }
    }

    async fn record(
        &self,
        tx: &mut Tx,
        user: Option<UserId>,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.log.record_operator(tx, user, event, now).await
    }
}
