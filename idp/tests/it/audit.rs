//! The audit log: what is in it, and that nobody can change it unseen.

mod activity;
mod chain;
mod events;
mod retention;

use idp::{
    admin::audit::{self, Exported},
    audit::{Mark, Verdict},
};
use platform::{
    db::{Db, Driver},
    on_conn,
};

use crate::fixture::TestIdp;

async fn exported(idp: &TestIdp) -> Vec<Exported> {
    audit::export(&idp.operator, 0).await.unwrap()
}

async fn mark(idp: &TestIdp) -> Mark {
    match audit::verify(&idp.operator, None).await.unwrap() {
        Verdict::Whole { head, .. } => head.unwrap(),
        broken => panic!("{broken:?}"),
    }
}

/// The event at which the log is broken.
async fn broken_at(idp: &TestIdp, kept: Option<&Mark>) -> Option<i64> {
    match audit::verify(&idp.operator, kept).await.unwrap() {
        Verdict::Broken { seq, .. } => Some(seq),
        Verdict::Whole { .. } => None,
    }
}

async fn execute(db: &Db, statements: &[&'static str]) -> Result<(), sqlx::Error> {
    let mut tx = db.write().await?;
    for statement in statements {
        on_conn!(&mut tx, |conn| sqlx::query(*statement).execute(conn).await.map(drop))?;
    }
    tx.commit().await
}

/// What somebody can do who owns the database, but not the keys.
async fn disable_triggers(db: &Db) {
    let sqlite = matches!(db.write().await.unwrap().driver(), Driver::Sqlite(_));
    let statements: &[&'static str] = if sqlite {
        &["DROP TRIGGER audit_events_never_change", "DROP TRIGGER audit_events_go_by_retention"]
    } else {
        &["ALTER TABLE audit_events DISABLE TRIGGER USER"]
    };
    execute(db, statements).await.unwrap();
}
