//! The pages for people.

pub mod assets;
pub mod consent;
pub mod device;
pub mod home;
mod journey;
mod known_browser;
pub mod session;
pub mod sign_in;
pub mod sign_up;
pub mod throttle;

mod pages;

pub use pages::{FormPost, LoggedOut, LogoutConfirm, error_page, not_found};
