#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod backchannel_logout;
mod browser;
mod fake_api;
mod fake_provider;
mod forms;
mod in_a_browser;
mod login;
mod logout;
mod pages;
mod refresh;
mod schema;
mod sessions;
mod step_up;
mod tasks;
mod world;
