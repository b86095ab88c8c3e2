//! Second factors: authenticator apps (RFC 6238), recovery codes, and that no way leads around them.

mod apps;
mod demanded;
mod phone;
mod recovery;
mod setup;
mod step_up;
