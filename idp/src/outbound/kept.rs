//! What others publish, kept for a while.
//!
//! Who asks first fetches, the others wait for the same answer. What does not fit makes us look again, but not more
//! often than every [`PAUSE`]: nobody can make us send requests without end. When the other server is down, what it
//! said last holds for [`SERVE_ON`].

use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use platform::clock::Clock;
use tokio::sync::Mutex;

/// How old a value may be before it is fetched again.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// From the end of one fetch to the next.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// How old a value may be that cannot be fetched again.
const SERVE_ON: TimeDelta = TimeDelta::hours(1);

/// A value of another server's, handed out as clones.
#[derive(Debug)]
pub struct Kept<T> {
    /// With when it was fetched.
    value: RwLock<Option<(T, DateTime<Utc>)>>,
    /// When we asked last. Held while we ask: those whose value is known do not wait for it.
    asked: Mutex<Option<DateTime<Utc>>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: RwLock::default(), asked: Mutex::default() }
    }
}

/// What asking has brought.
#[derive(Debug)]
pub enum Answer<T> {
    Value(T),
    /// Nothing that can be used: what was said before ends.
    Nothing,
    /// There was no answer.
    Silence,
}

impl<T: Clone> Kept<T> {
    /// A value that `fits`, or what there is when none does; `None` when there is none.
    pub async fn find(
        &self,
        clock: &Clock,
        fits: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Answer<T>>,
    ) -> Option<T> {
        let now = clock.now();
        let fresh = || self.fetched_after(now - FRESH).filter(&fits);
        if let Some(value) = fresh() {
            return Some(value);
        }
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(value) = fresh() {
            return Some(value);
        }
        if asked.is_none_or(|asked| asked + PAUSE <= now) {
            let answer = fetch.await;
            let now = clock.now();
            *asked = Some(now);
            let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Answer::Value(new) => *value = Some((new, now)),
                Answer::Nothing => *value = None,
                Answer::Silence => {}
            }
        }
        self.fetched_after(now - SERVE_ON)
    }

    fn fetched_after(&self, time: DateTime<Utc>) -> Option<T> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.as_ref().filter(|(_, at)| *at > time).map(|(value, _)| value.clone())
    }
}
