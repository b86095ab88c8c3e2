//! The only place that reads the system's time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Where "now" comes from: the system, or a test that moves it.
///
/// Always in whole microseconds, the resolution of both databases, so that a time that was stored
/// and read again equals itself.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Microseconds since 1970. Clones share it.
    Test(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at today's time until [`Clock::advance`] moves it.
    #[must_use]
    pub fn test() -> Self {
        Self::Test(Arc::new(AtomicI64::new(Self::System.now().timestamp_micros())))
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            Self::System => Utc::now().timestamp_micros(),
            Self::Test(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a test clock; the system's cannot be moved.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Test(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
