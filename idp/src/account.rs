//! The pages for people.

pub mod assets;
pub mod consent;
pub mod device;
#[allow(dead_code, reason = "the ways to log in are added one by one")]
pub mod factors;
mod frame;
#[allow(dead_code, reason = "the ways to log in are added one by one")]
mod gate;
pub mod home;
mod journey;
mod known_browser;
mod name;
pub mod security;
#[allow(dead_code, reason = "the ways to log in are added one by one")]
pub mod session;
pub mod sign_in;
pub mod sign_up;
pub mod strength;
pub mod throttle;
mod toast;

mod pages;

pub use pages::{FormPost, LoggedOut, LogoutConfirm, error_page, not_found};
