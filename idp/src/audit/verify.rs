//! Walking along the chain.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::db::Db;

use super::{Log, PAGE};
use crate::store::{
    Conn, Error,
    audit_events::{self, AuditEvent, Head},
};

/// Names one event and everything before it: `<seq>:<mac as base64url>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub seq: i64,
    mac: Vec<u8>,
}

impl Mark {
    #[must_use]
    pub fn of(event: &AuditEvent) -> Self {
        Self { seq: event.seq, mac: event.mac.clone() }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, URL_SAFE_NO_PAD.encode(&self.mac))
    }
}

impl FromStr for Mark {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (seq, mac) = text.split_once(':')?;
            let (seq, mac) = (seq.parse().ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
            (mac.len() == 32).then_some(Self { seq, mac })
        };
        parse().ok_or("must be what `latchkey audit verify` has printed: <number>:<43 characters>")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is there and as it was written.
    Whole {
        events: u64,
        /// `None` while nothing has happened.
        head: Option<Mark>,
    },
    /// The first event that something is wrong with.
    Broken { seq: i64, reason: &'static str },
}

impl Log {
    /// Reads the whole log. `kept`: a mark that was kept elsewhere, which must lie on the chain.
    pub async fn verify(&self, db: &Db, kept: Option<&Mark>) -> Result<Verdict, Error> {
        const GONE: Verdict = Verdict::Broken { seq: 1, reason: "the head of the log is gone" };
        let mut conn = db.read().await?;
        let Some(mut head) = audit_events::head(&mut conn).await? else { return Ok(GONE) };
        loop {
            let verdict = self.walk(&mut conn, &head, kept).await?;
            let Some(now) = audit_events::head(&mut conn).await? else { return Ok(GONE) };
            if matches!(verdict, Verdict::Whole { .. }) || now.anchor_seq == head.anchor_seq {
                return Ok(verdict);
            }
            // Retention has removed what was about to be read.
            head = now;
        }
    }

    async fn walk(&self, conn: &mut Conn, head: &Head, kept: Option<&Mark>) -> Result<Verdict, Error> {
        let broken = |seq, reason| Ok(Verdict::Broken { seq, reason });
        if !self.is_anchor(head.anchor_seq, &head.anchor_mac, &head.anchor_tag) {
            return broken(head.anchor_seq, "it is said to be removed by retention, which has not done so");
        }
        if !self.is_head(head.seq, &head.mac, &head.tag) {
            return broken(head.seq, "it is said to be the newest, which was not written by Latchkey");
        }
        let (mut seq, mut mac) = (head.anchor_seq, head.anchor_mac.clone());
        while seq < head.seq {
            let page = audit_events::list(conn, seq, PAGE.min(head.seq - seq)).await?;
            if page.is_empty() {
                return broken(seq + 1, "it is missing, and all that came after it");
            }
            for event in page {
                if event.seq != seq + 1 {
                    return broken(seq + 1, "it is missing");
                }
                if !self.continues(&mac, &event) {
                    return broken(event.seq, "it is not what was written after the event before it");
                }
                (seq, mac) = (event.seq, event.mac);
                if kept.is_some_and(|kept| kept.seq == seq && kept.mac != mac) {
                    return broken(seq, "it is another event than the one whose mark was kept");
                }
            }
        }
        if mac != head.mac {
            return broken(seq, "it is said to be the newest, and is another event");
        }
        // In this order: an event is there no sooner than its head.
        let last = audit_events::last_seq(conn).await?.unwrap_or_default();
        let newest = audit_events::head(conn).await?.map_or(0, |head| head.seq);
        if last > newest {
            return broken(newest + 1, "it was not written by Latchkey: it is newer than the newest");
        }
        match kept {
            Some(kept) if kept.seq > head.seq => broken(head.seq + 1, "it is missing: a newer mark was kept"),
            Some(kept) if kept.seq < head.anchor_seq => {
                broken(kept.seq, "retention has removed it, so that the mark that was kept says nothing")
            }
            _ => {
                let events = u64::try_from(head.seq - head.anchor_seq).unwrap_or_default();
                let head = (head.seq > 0).then(|| Mark { seq: head.seq, mac: head.mac.clone() });
                Ok(Verdict::Whole { events, head })
            }
        }
    }
}
