//! Mail to people. What they are owed is written with what it tells of ([`outbox`]) and sent from here, in the
//! background: no page waits for a mail server, none takes longer for an address that somebody has, and a server that
//! is down is tried again for a day.
//!
//! Links and codes are made when a mail is sent, each time it is tried: what lies in the database opens nothing.

mod compose;
mod letters;
pub mod notices;
mod transport;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use platform::server::Shutdown;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use crate::{
    App,
    config::{Config, seconds},
    store::{self, outbox, outbox::Owed},
};

pub use compose::Mail;
pub use letters::PREFIX;
use transport::Failure;
pub use transport::{Shown, Transport, is_sender};

/// Mails under way at once, in this process.
const AT_ONCE: usize = 8;
/// How often the table is looked at. Mails are owed by what happens on other nodes, too.
const LOOK: Duration = Duration::from_secs(1);
/// Seconds from one attempt to the next; the last goes on.
const PAUSES: [i64; 7] = [5, 30, 120, 600, 1800, 3600, 7200];

/// Sends what is due, until the process stops.
pub fn start(app: &App, shutdown: &Shutdown) {
    let (app, stopping, tasks) = (app.clone(), shutdown.token.clone(), shutdown.tasks.clone());
    shutdown.tasks.spawn(async move {
        let turns = Turns { free: Arc::new(Semaphore::new(AT_ONCE)), freed: Arc::new(Notify::new()) };
        loop {
            // Neither who has just asked for a mail here nor the next one waits for the next look.
            let due = async {
                tokio::select! {
                    () = app.mail_owed.notified() => {}
                    () = turns.freed.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            };
            if stopping.run_until_cancelled(due).await.is_none() {
                return;
            }
            if let Err(error) = send_due(&app, &turns, &tasks).await {
                tracing::error!(%error, "mails could not be read; they are tried again");
                // A database that is down is not asked every second.
                stopping.run_until_cancelled(tokio::time::sleep(LOOK * 10)).await;
            }
        }
    });
}

/// Who is sending in this process.
struct Turns {
    free: Arc<Semaphore>,
    /// A mail is off, or postponed.
    freed: Arc<Notify>,
}

/// Starts all mails that are due, as far as there are turns.
async fn send_due(app: &App, turns: &Turns, tasks: &TaskTracker) -> Result<(), store::Error> {
    let now = app.clock.now();
    let free = turns.free.available_permits();
    if free == 0 || !outbox::is_due(&mut app.db.read().await?, now).await? {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    let claimed = outbox::claim(&mut tx, free as i64, now, now + lease(&app.config)).await?;
    tx.commit().await?;
    for owed in claimed {
        let turn = turns.free.clone().acquire_owned().await;
        let (app, freed) = (app.clone(), turns.freed.clone());
        tasks.spawn(async move {
            if let Err(error) = deliver(&app, &owed).await {
                tracing::error!(%error, mail.id = %owed.id, "what became of a mail could not be noted; it is sent again");
            }
            drop(turn);
            freed.notify_one();
        });
    }
    Ok(())
}

/// Longer than any attempt takes; then its node is gone.
fn lease(config: &Config) -> TimeDelta {
    seconds(config.mail.timeout) + TimeDelta::seconds(60)
}

async fn deliver(app: &App, owed: &Owed) -> Result<(), store::Error> {
    let mut tx = app.db.write().await?;
    if !outbox::hold(&mut tx, owed).await? {
        return Ok(());
    }
    let mail = compose::compose(app, &mut tx, owed).await?;
    // The hashes of links and codes are there before anybody can use them.
    tx.commit().await?;
    let sent = match &mail {
        Some(mail) => app.mail.send(app, mail).await,
        None => Ok(()),
    };

    let (id, attempts) = (owed.id, owed.attempts);
    let user_id = owed.user_id.map(tracing::field::display);
    let pause = usize::try_from(attempts - 1).ok().and_then(|index| PAUSES.get(index)).or(PAUSES.last());
    let due_at = app.clock.now() + TimeDelta::seconds(pause.copied().unwrap_or_default());
    let mut tx = app.db.write().await?;
    match sent {
        Err(Failure::Later(error)) if due_at < owed.expires_at => {
            tracing::warn!(mail.id = %id, user.id = user_id, attempts, error, "a mail could not be sent; it is tried again");
            outbox::postpone(&mut tx, owed, due_at).await?;
        }
        sent => {
            match sent {
                Ok(()) if mail.is_some() => {
                    tracing::info!(mail.id = %id, user.id = user_id, "a mail was sent");
                }
                Ok(()) => tracing::debug!(mail.id = %id, "a mail was for nobody"),
                Err(Failure::Later(error) | Failure::Refused(error)) => {
                    tracing::warn!(mail.id = %id, user.id = user_id, attempts, error, "a mail was not sent: given up");
                }
            }
            outbox::delete(&mut tx, owed).await?;
        }
    }
    tx.commit().await
}
