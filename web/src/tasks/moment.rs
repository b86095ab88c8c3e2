//! A time as people say it.

use chrono::{DateTime, SecondsFormat, Utc};

pub(crate) struct Moment {
    /// For `<time datetime>`.
    pub(crate) datetime: String,
    /// For hovering.
    pub(crate) full: String,
    pub(crate) relative: String,
}

impl Moment {
    pub(crate) fn new(then: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            datetime: then.to_rfc3339_opts(SecondsFormat::Secs, true),
            full: then.format("%-d %B %Y, %H:%M UTC").to_string(),
            relative: relative(then, now),
        }
    }
}

fn relative(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let ago = now - then;
    let some = |count: i64, unit: &str| match count {
        1 => format!("1 {unit} ago"),
        _ => format!("{count} {unit}s ago"),
    };
    match ago.num_minutes() {
        ..1 => "just now".into(),
        minutes @ 1..60 => some(minutes, "minute"),
        60..1440 => some(ago.num_hours(), "hour"),
        1440..43_200 => some(ago.num_days(), "day"),
        _ => then.format("%-d %b %Y").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let then = "2026-05-04T10:00:00Z".parse().unwrap();
        let after = |delta| Moment::new(then, then + delta).relative;
        assert_eq!(after(TimeDelta::seconds(-5)), "just now");
        assert_eq!(after(TimeDelta::seconds(59)), "just now");
        assert_eq!(after(TimeDelta::minutes(1)), "1 minute ago");
        assert_eq!(after(TimeDelta::minutes(59)), "59 minutes ago");
        assert_eq!(after(TimeDelta::hours(23)), "23 hours ago");
        assert_eq!(after(TimeDelta::days(1)), "1 day ago");
        assert_eq!(after(TimeDelta::days(40)), "4 May 2026");
        assert_eq!(Moment::new(then, then).full, "4 May 2026, 10:00 UTC");
    }
}
