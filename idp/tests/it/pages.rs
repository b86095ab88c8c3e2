//! The pages for people, as a browser without scripts uses them.

mod browser;
mod device;
mod forms;
mod html;
mod journey;
mod log_in;
mod passkey_browser;
mod passkey_list;
mod passkeys;
mod sign_up;
mod throttle;
pub mod visitor;
