//! OpenID Connect Back-Channel Logout 1.0: clients that took part in a session are told that it has ended.
//!
//! What they are owed is written with the end of the session ([`logout_deliveries`]) and sent from here, in the
//! background: nobody who logs out waits for it, and a client that is down is tried again for a day.

use std::{cmp::Reverse, collections::HashMap, iter, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use platform::{secret, server::Shutdown};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::{
    App, clients,
    keys::Kind,
    outbound,
    store::{self, ClientId, SessionId, UserId, logout_deliveries, logout_deliveries::LogoutDelivery},
};

/// §2.4.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// §2.4: at most two minutes are recommended.
const LIFETIME: TimeDelta = TimeDelta::minutes(2);
/// Deliveries under way at once, in this process.
const AT_ONCE: usize = 256;
/// Of these to one client: one that hangs stands in nobody else's way.
const AT_ONCE_PER_CLIENT: usize = 4;
/// How often the table is looked at. Sessions also end on other nodes and by the command line.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than any attempt takes; then its node is gone.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// Seconds from one attempt to the next; the last goes on.
const PAUSES: [i64; 9] = [1, 5, 30, 120, 600, 1800, 3600, 7200, 14400];

/// §2.4.
#[derive(Serialize)]
struct LogoutToken<'a> {
    iss: &'a str,
    sub: UserId,
    aud: &'a ClientId,
    iat: i64,
    exp: i64,
    jti: String,
    events: serde_json::Value,
    sid: SessionId,
}

/// Delivers what is due, until the process stops.
pub fn start(app: &App, shutdown: &Shutdown) {
    let (app, stopping, tasks) = (app.clone(), shutdown.token.clone(), shutdown.tasks.clone());
    shutdown.tasks.spawn(async move {
        let mut turns = Turns::default();
        loop {
            // Neither who ends a session here nor the next one for a busy client waits for the next look.
            let due = async {
                tokio::select! {
                    () = app.session_ended.notified() => {}
                    () = turns.freed.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            };
            if stopping.run_until_cancelled(due).await.is_none() {
                return;
            }
            if let Err(error) = send_due(&app, &mut turns, &tasks).await {
                tracing::error!(%error, "logout tokens could not be read; they are tried again");
                // A database that is down is not asked every second.
                stopping.run_until_cancelled(tokio::time::sleep(LOOK * 10)).await;
            }
        }
    });
}

/// Who is being told by this process.
struct Turns {
    all: Arc<Semaphore>,
    /// Clients that are being told.
    shares: HashMap<ClientId, Arc<Semaphore>>,
    /// A delivery has ended.
    freed: Arc<Notify>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            shares: HashMap::new(),
            freed: Arc::new(Notify::new()),
        }
    }
}

impl Turns {
    /// Those that `client` may have more of.
    fn left(&self, client: &ClientId) -> usize {
        self.shares.get(client).map_or(AT_ONCE_PER_CLIENT, |share| share.available_permits())
    }

    fn take(&mut self, client: &ClientId) -> Vec<[OwnedSemaphorePermit; 2]> {
        self.shares.retain(|_, share| share.available_permits() < AT_ONCE_PER_CLIENT);
        let fresh = || Arc::new(Semaphore::new(AT_ONCE_PER_CLIENT));
        let share = self.shares.entry(client.clone()).or_insert_with(fresh);
        let one = |turns: &Arc<Semaphore>| turns.clone().try_acquire_owned().ok();
        iter::from_fn(|| Some([one(share)?, one(&self.all)?])).collect()
    }
}

/// Starts all deliveries that are due, as far as there are turns.
async fn send_due(app: &App, turns: &mut Turns, tasks: &TaskTracker) -> Result<(), store::Error> {
    let now = app.clock.now();
    let mut clients = logout_deliveries::clients_due(&mut app.db.read().await?, now).await?;
    // Many slow ones do not keep out one that nothing is under way to.
    clients.sort_by_key(|client| Reverse(turns.left(client)));
    for client in clients {
        let free = turns.take(&client);
        if free.is_empty() {
            continue;
        }
        let mut tx = app.db.write().await?;
        let claimed = logout_deliveries::claim(&mut tx, &client, free.len() as i64, now, now + LEASE).await?;
        tx.commit().await?;
        for (delivery, turn) in claimed.into_iter().zip(free) {
            let (app, freed) = (app.clone(), turns.freed.clone());
            tasks.spawn(async move {
                if let Err(error) = deliver(&app, &delivery).await {
                    tracing::error!(%error, "what became of a logout token could not be noted; it is sent again");
                }
                drop(turn);
                freed.notify_one();
            });
        }
    }
    Ok(())
}

/// How an attempt went.
enum Outcome {
    /// It was taken, or there is nobody to take it any more.
    Done,
    /// The client does not want it (§2.8), which will not change.
    Refused,
    /// Nobody may ask there, whenever it is tried.
    Unreachable(outbound::Error),
    /// It did not answer.
    Silent(outbound::Error),
    Failed(String),
}

async fn deliver(app: &App, delivery: &LogoutDelivery) -> Result<(), store::Error> {
    let outcome = attempt(app, delivery).await?;
    let LogoutDelivery { client_id, session_id, attempts, .. } = delivery;
    let pause = usize::try_from(attempts - 1).ok().and_then(|index| PAUSES.get(index)).or(PAUSES.last());
    let due_at = app.clock.now() + TimeDelta::seconds(pause.copied().unwrap_or_default());
    let mut tx = app.db.write().await?;
    match outcome {
        Outcome::Silent(error) if due_at < delivery.expires_at => {
            tracing::warn!(client.id = %client_id, session.id = %session_id, attempts, %error, "{client_id} does not answer; it is told of log-outs later");
            logout_deliveries::postpone(&mut tx, delivery, due_at).await?;
            logout_deliveries::postpone_due(&mut tx, client_id, app.clock.now(), due_at).await?;
        }
        Outcome::Failed(error) if due_at < delivery.expires_at => {
            tracing::warn!(client.id = %client_id, session.id = %session_id, attempts, error, "{client_id} could not be told of a log-out; it is tried again");
            logout_deliveries::postpone(&mut tx, delivery, due_at).await?;
        }
        outcome => {
            match outcome {
                Outcome::Done => {
                    tracing::info!(client.id = %client_id, session.id = %session_id, "{client_id} knows of a log-out");
                }
                Outcome::Refused => {
                    tracing::warn!(client.id = %client_id, session.id = %session_id, "{client_id} refused a logout token");
                }
                Outcome::Unreachable(error) | Outcome::Silent(error) => {
                    tracing::warn!(client.id = %client_id, session.id = %session_id, attempts, %error, "{client_id} was not told of a log-out: given up");
                }
                Outcome::Failed(error) => {
                    tracing::warn!(client.id = %client_id, session.id = %session_id, attempts, error, "{client_id} was not told of a log-out: given up");
                }
            }
            logout_deliveries::delete(&mut tx, delivery).await?;
        }
    }
    tx.commit().await
}

async fn attempt(app: &App, delivery: &LogoutDelivery) -> Result<Outcome, store::Error> {
    let client = match app.clients.find(&delivery.client_id.0).await {
        Ok(Some(client)) => client,
        Ok(None) => return Ok(Outcome::Done),
        Err(clients::Error::NotNow(reason)) => return Ok(Outcome::Failed(reason.to_string())),
        Err(clients::Error::Store(error)) => return Err(error),
    };
    let Some(uri) = client.backchannel_logout_uri.as_deref() else { return Ok(Outcome::Done) };
    let now = app.clock.now();
    let claims = LogoutToken {
        iss: &app.config.issuer,
        sub: delivery.user_id,
        aud: &delivery.client_id,
        iat: now.timestamp(),
        exp: (now + LIFETIME).timestamp(),
        jti: URL_SAFE_NO_PAD.encode(secret::random::<16>()),
        events: json!({ EVENT: {} }),
        sid: delivery.session_id,
    };
    let token =
        match app.keys.snapshot().sign(client.id_token_signed_response_alg, Kind::LogoutToken, &claims) {
            Ok(token) => token,
            Err(error) => return Ok(Outcome::Failed(error.to_string())),
        };
    // §2.8: 200, and some frameworks say 204; 400 for a token that is not taken.
    Ok(match app.outbound.post(uri, &[("logout_token", &token)]).await {
        Ok(status) if status.is_success() => Outcome::Done,
        Ok(reqwest::StatusCode::BAD_REQUEST) => Outcome::Refused,
        Ok(status) => Outcome::Failed(format!("it answered {status}")),
        Err(error @ outbound::Error::Refused(_)) => Outcome::Unreachable(error),
        Err(error) => Outcome::Silent(error),
    })
}
