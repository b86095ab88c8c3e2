//! What the three services stand on: database, clock, configuration loading, HTTP server and shutdown,
//! logs, pages' safety (cookies, CSP, forms), secrets, test databases. Knows nothing of OAuth, but for
//! the proof of possession that identity provider and APIs have to judge alike ([`dpop`]).

pub mod address;
pub mod assets;
pub mod clock;
pub mod config;
pub mod db;
pub mod dpop;
pub mod http;
pub mod jws;
mod linger;
pub mod pages;
pub mod place;
pub mod seal;
pub mod secret;
pub mod server;
pub mod telemetry;
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "test support fails loudly")]
pub mod testing;
pub mod tls;
pub mod toast;
