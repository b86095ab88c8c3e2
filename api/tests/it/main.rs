//! The task API over real HTTP, with tokens of an issuer that has nothing of Latchkey.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod issuer;
mod support;
mod tasks;
