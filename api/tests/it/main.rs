//! The task API over real HTTP, with tokens of an issuer that has nothing of Latchkey.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests fail loudly"
)]

mod bearer;
mod browser;
mod conditional;
mod dpop;
mod idempotency;
mod issuer;
mod keys;
mod list;
mod schema;
mod step_up;
mod support;
mod tasks;
