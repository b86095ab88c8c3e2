//! The real binary, in a directory of its own, on ports of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail loudly"
)]

mod accessible;
mod apache;
mod audit;
mod clients;
mod command_line;
mod configuration;
mod https;
mod journey;
mod log;
mod logout;
mod nginx;
mod nodes;
mod outages;
mod person;
mod rotation;
mod start;
mod support;
mod visitor;
