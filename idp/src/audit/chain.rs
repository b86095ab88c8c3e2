//! What makes events a chain.

use std::fmt;

use aws_lc_rs::hmac;
use platform::secret;

use crate::store::audit_events::AuditEvent;

/// The key of the chain. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    key: hmac::Key,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    pub(crate) fn new(master_secret: &[u8]) -> Self {
        let key = secret::derive(master_secret, "audit log");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) }
    }

    /// Of an event that follows the one with the `mac` `previous`; empty at the very beginning.
    pub(super) fn mac(&self, previous: &[u8], event: &AuditEvent) -> Vec<u8> {
        hmac::sign(&self.key, &linked(previous, event)).as_ref().to_vec()
    }

    /// Whether an event follows that one, and is what was written.
    pub(super) fn continues(&self, previous: &[u8], event: &AuditEvent) -> bool {
        hmac::verify(&self.key, &linked(previous, event), &event.mac).is_ok()
    }

    pub(super) fn head_tag(&self, seq: i64, mac: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, &end("head", seq, mac)).as_ref().to_vec()
    }

    pub(super) fn anchor_tag(&self, seq: i64, mac: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, &end("anchor", seq, mac)).as_ref().to_vec()
    }

    pub(super) fn is_head(&self, seq: i64, mac: &[u8], tag: &[u8]) -> bool {
        self.is_end("head", seq, mac, tag)
    }

    pub(super) fn is_anchor(&self, seq: i64, mac: &[u8], tag: &[u8]) -> bool {
        self.is_end("anchor", seq, mac, tag)
    }

    fn is_end(&self, which: &str, seq: i64, mac: &[u8], tag: &[u8]) -> bool {
        // As the tables were made: nothing has happened, nothing was removed.
        (seq == 0 && mac.is_empty() && tag.is_empty())
            || hmac::verify(&self.key, &end(which, seq, mac), tag).is_ok()
    }
}

/// Every column, each so that no value can pass for another one's, or for none.
fn linked(previous: &[u8], event: &AuditEvent) -> Vec<u8> {
    let AuditEvent {
        seq,
        at,
        event,
        user_id,
        client_id,
        session_id,
        address,
        user_agent,
        request_id,
        outcome,
        details,
        mac: _,
    } = event;
    let mut bytes = b"event".to_vec();
    put(&mut bytes, Some(previous));
    put(&mut bytes, Some(&seq.to_be_bytes()));
    put(&mut bytes, Some(&at.timestamp_micros().to_be_bytes()));
    put(&mut bytes, Some(event.as_bytes()));
    put(&mut bytes, user_id.as_ref().map(|id| &id.0.as_bytes()[..]));
    put(&mut bytes, client_id.as_ref().map(|id| id.0.as_bytes()));
    put(&mut bytes, session_id.as_ref().map(|id| &id.0.as_bytes()[..]));
    put(&mut bytes, address.as_ref().map(|text| text.as_bytes()));
    put(&mut bytes, user_agent.as_ref().map(|text| text.as_bytes()));
    put(&mut bytes, request_id.as_ref().map(|id| &id.as_bytes()[..]));
    put(&mut bytes, Some(outcome.as_bytes()));
    put(&mut bytes, Some(details.as_bytes()));
    bytes
}

fn end(which: &str, seq: i64, mac: &[u8]) -> Vec<u8> {
    let mut bytes = which.as_bytes().to_vec();
    put(&mut bytes, Some(&seq.to_be_bytes()));
    put(&mut bytes, Some(mac));
    bytes
}

fn put(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            bytes.extend(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(value);
        }
    }
}
