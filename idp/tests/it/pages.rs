//! The pages for people, as a browser without scripts uses them.

mod browser;
mod device;
mod forms;
mod html;
mod journey;
mod log_in;
mod sign_up;
mod throttle;
mod visitor;
