//! Passwords: what is accepted, and argon2id in a bounded pool of its own.
//!
//! Hashing is slow on purpose. It happens on threads that do nothing else, and when too much of it is
//! waiting, more is refused: token, JWKS and discovery requests never stand behind a password.

pub mod breached;
mod hasher;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use argon2::{Params, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, oneshot};
use unicode_normalization::UnicodeNormalization;

use crate::config::Passwords as Config;
use hasher::{Hasher, Unusable};

const MIN_CHARACTERS: usize = 8;
const MAX_CHARACTERS: usize = 128;

/// What is wrong with a new password, in words for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("Use at least 8 characters.")]
    TooShort,
    #[error("Use at most 128 characters.")]
    TooLong,
    #[error(
        "This password has leaked before, and is among the first that attackers try. Choose another one."
    )]
    Breached,
    #[error("This password is easy to guess. Add a word or two that do not belong together.")]
    Guessable,
}

/// A password as it is hashed: NFC, of a length that is fit to be hashed. Only so can one get into the pool.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    /// For comparing. `None` for what cannot be anybody's password; it is never hashed.
    #[must_use]
    pub fn presented(typed: &SecretString) -> Option<Self> {
        let typed = typed.expose_secret();
        // A character is at most four bytes before normalisation, and NFC never triples it.
        if typed.len() > MAX_CHARACTERS * 12 {
            return None;
        }
        let normalized: String = typed.nfc().collect();
        (1..=MAX_CHARACTERS).contains(&normalized.chars().count()).then(|| Self(normalized.into()))
    }

    /// For choosing a new one. `hints`: name and address, which make a password guessable.
    pub fn chosen(typed: &SecretString, hints: &[&str], min_score: u8) -> Result<Self, Weakness> {
        let password = Self::presented(typed);
        let length = password.as_ref().map_or_else(
            || typed.expose_secret().len(),
            |Self(password)| password.expose_secret().chars().count(),
        );
        match password {
            _ if length < MIN_CHARACTERS => Err(Weakness::TooShort),
            None => Err(Weakness::TooLong),
            Some(password) if breached::contains(password.0.expose_secret()) => Err(Weakness::Breached),
            Some(password) if score(&password.0, hints) < min_score => Err(Weakness::Guessable),
            Some(password) => Ok(password),
        }
    }
}

/// zxcvbn's estimate: 0 (guessed at once) to 4.
#[must_use]
pub fn score(password: &SecretString, hints: &[&str]) -> u8 {
    // Its time grows faster than the length; the start of a long password says enough.
    let start: String = password.expose_secret().chars().take(32).collect();
    zxcvbn::zxcvbn(&start, hints).score().into()
}

/// One at a time: zxcvbn needs a tenth of a second for a password full of `4@8({[<3`.
static JUDGING: Semaphore = Semaphore::const_new(1);
const JUDGING_PATIENCE: Duration = Duration::from_secs(5);

/// Runs what estimates passwords where it holds up nothing but other estimates: neither requests nor log-ins.
pub async fn judge<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let turn = tokio::time::timeout(JUDGING_PATIENCE, JUDGING.acquire()).await;
    let turn = turn.map_err(|_| Busy)?.map_err(|_| Busy)?;
    let judged = tokio::task::spawn_blocking(move || {
        // Held in here: whoever asked may go away, the work goes on.
        let _turn = turn;
        work()
    });
    judged.await.map_err(|_| Busy)
}

/// Argon2id parameters that were checked.
#[derive(Clone, Debug)]
pub struct Argon2Cost(Params);

impl Argon2Cost {
    pub fn of(config: &Config) -> Result<Self, String> {
        Params::new(config.memory, config.iterations, config.parallelism, None)
            .map(Self)
            .map_err(|error| format!("argon2 does not take these parameters: {error}"))
    }
}

/// The queue is full: try again later.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords are waiting to be hashed or judged")]
pub struct Busy;

/// What comparing a password with a stored hash said.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and stored with parameters of another day: here is today's hash.
    RightRehashed(String),
}

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// Threads that hash.
#[derive(Clone, Debug)]
pub struct Pool {
    jobs: SyncSender<Job>,
    /// What unknown people's passwords are compared with, so that it takes as long.
    dummy: Arc<str>,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When argon2 does not take the parameters, or no thread can be had; the text says which.
    pub fn start(config: &Config) -> Result<Self, String> {
        let Argon2Cost(params) = Argon2Cost::of(config)?;
        let dummy = Hasher::new(params.clone()).hash(b"nobody's").map_err(|error| error.to_string())?;
        let (jobs, queue) = sync_channel(config.queue);
        let queue = Arc::new(Mutex::new(queue));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = if config.threads == 0 { cores.saturating_sub(1).max(1) } else { config.threads };
        for index in 0..threads {
            let (queue, hasher) = (queue.clone(), Hasher::new(params.clone()));
            thread::Builder::new()
                .name(format!("argon2-{index}"))
                .spawn(move || work(&queue, hasher))
                .map_err(|error| format!("cannot start a thread: {error}"))?;
        }
        Ok(Self { jobs, dummy: dummy.into() })
    }

    /// A PHC string with today's parameters and a salt of its own.
    pub async fn hash(&self, password: Password) -> Result<String, Busy> {
        let hashed = self.run(move |hasher| hash(hasher, &password)).await?;
        hashed.ok_or(Busy)
    }

    /// Compares with a stored PHC string; with `None` (nobody of that name), does the same work for nothing.
    pub async fn verify(&self, password: Password, stored: Option<&str>) -> Result<Verdict, Busy> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        let verdict = self.run(move |hasher| verify(hasher, &password, &stored)).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Whoever asked may have gone away while this waited.
            if !answer.is_closed() {
                let _ = answer.send(work(hasher));
            }
        });
        self.jobs.try_send(job).map_err(|error| {
            if matches!(error, TrySendError::Disconnected(_)) {
                tracing::error!("the threads that hash passwords are gone");
            }
            Busy
        })?;
        answered.await.map_err(|_| Busy)
    }
}

fn work(queue: &Mutex<Receiver<Job>>, mut hasher: Hasher) {
    yield_to_others();
    loop {
        // Whoever holds the lock for long waits in `recv`, below: then there is nothing to do.
        let waiting = queue.try_lock().ok().and_then(|queue| queue.try_recv().ok());
        let job = match waiting {
            Some(job) => job,
            None => {
                hasher.rest();
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                job
            }
        };
        job(&mut hasher);
    }
}

/// On a busy core, requests that need no password go first. On Linux a thread has a priority of its own.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10) {
        tracing::debug!(%error, "the priority of a hashing thread stays as it is");
    }
}

fn hash(hasher: &mut Hasher, Password(password): &Password) -> Option<String> {
    let hash = hasher.hash(password.expose_secret().as_bytes());
    hash.inspect_err(|error| tracing::error!(%error, "a password could not be hashed")).ok()
}

fn verify(hasher: &mut Hasher, password: &Password, stored: &str) -> Verdict {
    let bytes = password.0.expose_secret().as_bytes();
    let parsed = PasswordHash::new(stored).map_err(|_| Unusable);
    let matches = parsed.and_then(|parsed| Ok((hasher.matches(bytes, &parsed)?, parsed)));
    let parsed = match matches {
        Ok((true, parsed)) => parsed,
        Ok((false, _)) => return Verdict::Wrong,
        Err(error) => {
            tracing::error!(%error, "a stored password hash is not a PHC string of argon2");
            return Verdict::Wrong;
        }
    };
    let current = Params::try_from(&parsed).is_ok_and(|params| {
        let today = &hasher.params;
        (params.m_cost(), params.t_cost(), params.p_cost())
            == (today.m_cost(), today.t_cost(), today.p_cost())
    });
    if current {
        Verdict::Right
    } else {
        hash(hasher, password).map_or(Verdict::Right, Verdict::RightRehashed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Config {
        Config { memory: 8, iterations: 1, ..Config::default() }
    }

    fn password(text: &str) -> Password {
        Password::presented(&text.into()).unwrap()
    }

    #[tokio::test]
    async fn the_same_password_in_another_unicode_form_is_the_same() {
        let pool = Pool::start(&cheap()).unwrap();
        let hash = pool.hash(password("gr\u{fc}\u{df}e aus k\u{f6}ln")).await.unwrap();
        let decomposed = password("gru\u{308}\u{df}e aus ko\u{308}ln");
        assert_eq!(pool.verify(decomposed, Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(pool.verify(password("something else"), Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(pool.verify(password("nobody's"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn old_parameters_are_replaced_when_the_password_is_right() {
        let hash = Pool::start(&cheap()).unwrap().hash(password("open sesame")).await.unwrap();
        let pool = Pool::start(&Config { memory: 16, ..cheap() }).unwrap();
        let Verdict::RightRehashed(new) = pool.verify(password("open sesame"), Some(&hash)).await.unwrap()
        else {
            panic!("not rehashed")
        };
        assert!(new.contains("m=16"));
        assert_eq!(pool.verify(password("open sesame"), Some(&new)).await.unwrap(), Verdict::Right);
    }

    /// Made by argon2's reference implementation: `echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -e`.
    #[tokio::test]
    async fn hashes_of_other_implementations_are_understood_and_renewed() {
        let stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let pool = Pool::start(&cheap()).unwrap();
        let verdict = pool.verify(password("password"), Some(stored)).await.unwrap();
        assert!(matches!(verdict, Verdict::RightRehashed(_)), "{verdict:?}");
        assert_eq!(pool.verify(password("Password"), Some(stored)).await.unwrap(), Verdict::Wrong);
        for broken in [
            "",
            "x",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$2b$10$abc",
            "$argon2id$v=19$m=1,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQM",
        ] {
            assert_eq!(
                pool.verify(password("password"), Some(broken)).await.unwrap(),
                Verdict::Wrong,
                "{broken}"
            );
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let pool = Pool::start(&Config { queue: 1, threads: 1, memory: 65536, ..Config::default() }).unwrap();
        let attempts = (0..8).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.hash(password("open sesame")).await })
        });
        let mut refused = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            refused += usize::from(attempt.await.unwrap().is_err());
        }
        assert!((1..8).contains(&refused), "{refused} of 8 were refused");
    }

    #[test]
    fn length_is_counted_in_characters_and_guessable_ones_are_refused() {
        let chosen = |text: &str| Password::chosen(&text.into(), &["alice@example.com"], 2).map(drop);
        assert_eq!(chosen("short"), Err(Weakness::TooShort));
        assert_eq!(chosen("\u{1f511}\u{1f511}"), Err(Weakness::TooShort));
        assert_eq!(chosen(&"x1 Y".repeat(40)), Err(Weakness::TooLong));
        assert_eq!(chosen(&"\u{1f511}".repeat(5000)), Err(Weakness::TooLong));
        assert_eq!(chosen("Password1"), Err(Weakness::Breached));
        assert_eq!(chosen("alicealice"), Err(Weakness::Guessable));
        assert_eq!(chosen("alice@example.com"), Err(Weakness::Guessable));
        assert_eq!(chosen("correct horse battery staple"), Ok(()));
        assert_eq!(chosen(&"verschiedene W\u{f6}rter, ".repeat(6)[..128]), Ok(()));
    }
}
