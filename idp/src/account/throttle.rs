//! Slows down whoever guesses passwords or devices' codes, and nobody else.
//!
//! An attempt is counted before the password is hashed, so that parallel ones cannot all pass on the same
//! count. After the free ones each has to wait twice as long since the last: 1 s, 2 s, 4 s … up to a limit.
//! Refused attempts are not counted: hammering does not make the wait longer. Known and unknown accounts
//! are counted alike.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{address, db::Db, http::current, secret::SecretHash};

use super::known_browser;
use crate::{
    App,
    config::{self, Throttle},
    email::Email,
    store::{Error, Tx, UserId, throttles},
};

/// An attempt that was let through, and counted.
#[derive(Debug)]
pub struct Attempt(Vec<Counter>);

#[derive(Debug)]
struct Counter {
    key: SecretHash,
    /// How many attempts need not wait.
    free: u32,
    /// Starts again once the right password came.
    cleared_by_success: bool,
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    seconds: i64,
}

/// Before a password is compared. `account`: a normalised address, whether or not anybody has it.
pub async fn log_in(app: &App, headers: &HeaderMap, account: &str) -> Result<Result<Attempt, Wait>, Error> {
    by_account(app, headers, "log-in", account).await
}

/// Before somebody is mailed what was asked for with their address.
pub async fn mail(app: &App, headers: &HeaderMap, account: &str) -> Result<Result<Attempt, Wait>, Error> {
    by_account(app, headers, "mail", account).await
}

/// A browser that the account was used in before has a counter of its own, so that nobody else's guesses
/// stand in its owner's way. A success does not clear the counters of the account and of the network:
/// who knows one password must not get more guesses at others by it.
async fn by_account(
    app: &App,
    headers: &HeaderMap,
    purpose: &str,
    account: &str,
) -> Result<Result<Attempt, Wait>, Error> {
    let limits = &app.config.throttle;
    let network = address::network(current().client);
    let counter = |from: &str, of: &[&str], free, cleared_by_success| Counter {
        key: SecretHash::of(&format!("{purpose}{from}\n{}", of.join("\n"))),
        free,
        cleared_by_success,
    };
    let counters = match known_browser::id(app, headers, account) {
        Some(id) => vec![counter(" by device", &[account, &id], limits.per_account_and_network, true)],
        // Always in this order: transactions that lock several rows must not wait for each other.
        None => vec![
            counter(" here", &[account, &network], limits.per_account_and_network, true),
            counter("", &[account], limits.per_account, false),
            counter(" from", &[&network], limits.per_network, false),
        ],
    };
    admit(app, counters).await
}

/// Before a code of a second factor is compared. Whoever gets here knows a first one, which must not clear anything; a
/// browser that the account was used in before has a counter of its own.
pub async fn second_factor(
    app: &App,
    headers: &HeaderMap,
    user: UserId,
    email: &str,
) -> Result<Result<Attempt, Wait>, Error> {
    let limits = &app.config.throttle;
    let free = limits.per_account_and_network;
    let counter = |key: String, free| Counter { key: SecretHash::of(&key), free, cleared_by_success: false };
    let known = Email::parse(email).and_then(|email| known_browser::id(app, headers, &email.normalized));
    let counters = match known {
        Some(id) => vec![counter(format!("second factor by device\n{user}\n{id}"), free)],
        None => {
            let network = address::network(current().client);
            vec![
                counter(format!("second factor\n{user}"), free),
                counter(format!("second factor from\n{network}"), limits.per_network),
            ]
        }
    };
    admit(app, counters).await
}

/// Before an account is made: each costs a hash and a row.
pub async fn sign_up(app: &App) -> Result<Result<Attempt, Wait>, Error> {
    admit(app, by_network("sign-up", &app.config.throttle)).await
}

/// Before a device's code is looked up: RFC 8628 §5.1.
pub async fn user_code(app: &App, user: UserId) -> Result<Result<Attempt, Wait>, Error> {
    let limits = &app.config.throttle;
    let network = address::network(current().client);
    let counter = |key: String, free| Counter { key: SecretHash::of(&key), free, cleared_by_success: false };
    let by_person = counter(format!("user code by\n{user}"), limits.per_account_and_network);
    let by_network = counter(format!("user code from\n{network}"), limits.per_network);
    admit(app, vec![by_person, by_network]).await
}

/// Before a device that proves nothing is given a code: each is a row until it expires. Many devices may share a
/// network, and ask again when nobody came.
pub async fn device(app: &App) -> Result<Result<Attempt, Wait>, Error> {
    let key = SecretHash::of(&format!("device from\n{}", address::network(current().client)));
    let free = app.config.throttle.per_network.saturating_mul(4);
    admit(app, vec![Counter { key, free, cleared_by_success: false }]).await
}

/// Before somebody is sent to another provider: each is a row until they come back, and perhaps a request of ours.
/// Whole offices come from one network, and who comes back is forgiven.
pub async fn upstream(app: &App) -> Result<Result<Attempt, Wait>, Error> {
    admit(app, by_network("upstream", &app.config.throttle)).await
}

/// Somebody who was sent there has come back as somebody whom we know.
pub async fn upstream_succeeded(app: &App, tx: &mut Tx) -> Result<(), Error> {
    Attempt(by_network("upstream", &app.config.throttle)).succeeded(tx).await
}

/// Before an authenticator is asked: each challenge is a row for some minutes. Every log-in page that is opened asks for
/// one, so many are free.
pub async fn passkey(app: &App) -> Result<Result<Attempt, Wait>, Error> {
    admit(app, challenges(app)).await
}

/// Where people log in with passkeys, nobody floods. A signature cannot be guessed, so that nothing is lost by it.
pub async fn passkey_was_right(app: &App, tx: &mut Tx) -> Result<(), Error> {
    Attempt(challenges(app)).succeeded(tx).await
}

fn challenges(app: &App) -> Vec<Counter> {
    let limits = &app.config.throttle;
    let key = SecretHash::of(&format!("passkey from\n{}", address::network(current().client)));
    vec![Counter { key, free: limits.per_network.saturating_mul(20), cleared_by_success: true }]
}

/// Before an app registers itself without a token: each is a row that stays.
pub async fn register(app: &App) -> Result<Result<Attempt, Wait>, Error> {
    admit(app, by_network("registration", &app.config.throttle)).await
}

/// Before the document of a client that nobody knows is fetched: each is a request of ours, and a row.
pub async fn metadata_document(
    db: &Db,
    limits: &Throttle,
    now: DateTime<Utc>,
) -> Result<Result<Attempt, Wait>, Error> {
    admit_at(db, limits, now, by_network("metadata document", limits)).await
}

fn by_network(purpose: &str, limits: &Throttle) -> Vec<Counter> {
    let key = SecretHash::of(&format!("{purpose} from\n{}", address::network(current().client)));
    vec![Counter { key, free: limits.per_network, cleared_by_success: false }]
}

async fn admit(app: &App, counters: Vec<Counter>) -> Result<Result<Attempt, Wait>, Error> {
    admit_at(&app.db, &app.config.throttle, app.clock.now(), counters).await
}

async fn admit_at(
    db: &Db,
    limits: &Throttle,
    now: DateTime<Utc>,
    counters: Vec<Counter>,
) -> Result<Result<Attempt, Wait>, Error> {
    let longest = limits.longest_wait;
    // Longer than the longest wait, or whoever sat it out would start afresh.
    let expires_at = now + config::seconds(longest) * 2;
    let mut tx = db.write().await?;
    let mut until = now;
    for counter in &counters {
        let counted = throttles::lock(&mut tx, &counter.key, now, expires_at).await?;
        until = until.max(counter.free_again(counted, longest));
    }
    if until > now {
        // Undoes what locking wrote.
        return Ok(Err(Wait::until(until, now)));
    }
    for counter in &counters {
        throttles::count(&mut tx, &counter.key, now, expires_at).await?;
    }
    tx.commit().await?;
    Ok(Ok(Attempt(counters)))
}

impl Attempt {
    /// The password was right: it was no guess.
    pub async fn succeeded(self, tx: &mut Tx) -> Result<(), Error> {
        for counter in &self.0 {
            if counter.cleared_by_success {
                throttles::clear(tx, &counter.key).await?;
            } else {
                throttles::forgive(tx, &counter.key).await?;
            }
        }
        Ok(())
    }
}

impl Counter {
    /// When the next attempt may be made.
    fn free_again(&self, counted: throttles::Counted, longest: u32) -> DateTime<Utc> {
        let beyond = counted.attempts - i64::from(self.free);
        if beyond < 0 {
            return DateTime::<Utc>::MIN_UTC;
        }
        let doubled = u32::try_from(beyond).ok().and_then(|beyond| 1_u32.checked_shl(beyond));
        counted.last_at + config::seconds(doubled.unwrap_or(longest).min(longest))
    }
}

impl Wait {
    fn until(until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        // Rounded up: who waits that long has waited long enough.
        let seconds = (until - now + TimeDelta::microseconds(999_999)).num_seconds().max(1);
        Self { seconds }
    }

    pub fn retry_after(self) -> HeaderValue {
        HeaderValue::from(self.seconds)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => f.write_str("1 second"),
            seconds if seconds < 90 => write!(f, "{seconds} seconds"),
            seconds => write!(f, "{} minutes", (seconds + 59) / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_beyond_the_free_ones_waits_twice_as_long() {
        let counter = Counter { key: SecretHash::of(""), free: 5, cleared_by_success: true };
        let last_at = DateTime::UNIX_EPOCH;
        let wait = |attempts| counter.free_again(throttles::Counted { attempts, last_at }, 900);
        assert!(wait(4) < last_at);
        let seconds = [(5, 1), (6, 2), (7, 4), (14, 512), (15, 900), (40, 900), (i64::MAX, 900)];
        for (attempts, seconds) in seconds {
            assert_eq!(wait(attempts), last_at + TimeDelta::seconds(seconds), "{attempts}");
        }
    }

    #[test]
    fn a_wait_is_said_in_words_and_never_too_short() {
        let now = DateTime::UNIX_EPOCH;
        let said = |micros| Wait::until(now + TimeDelta::microseconds(micros), now).to_string();
        assert_eq!(said(1), "1 second");
        assert_eq!(said(1_000_001), "2 seconds");
        assert_eq!(said(61_000_000), "61 seconds");
        assert_eq!(said(900_000_000), "15 minutes");
    }
}
