//! The pages for people.

pub mod activity;
pub mod apps;
pub mod assets;
pub mod consent;
pub mod data;
pub mod device;
pub mod email;
pub mod email_links;
pub mod factors;
mod frame;
mod gate;
pub mod home;
mod journey;
mod known_browser;
pub mod linked;
mod mail_link;
pub mod mailbox;
pub mod mailed_code;
mod name;
pub mod passkeys;
pub mod password;
pub mod profile;
mod proof;
pub mod recovery;
pub mod recovery_codes;
pub mod restore;
pub mod second;
pub mod security;
pub mod session;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod sign_up;
pub mod strength;
pub mod throttle;
mod toast;
pub mod totp;
pub mod upstream;
mod user_agent;

mod pages;

pub use pages::{FormPost, LoggedOut, LogoutConfirm, error_page, not_found};
