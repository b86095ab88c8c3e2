//! The identity provider by HTTP, on SQLite and on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod authenticator;
mod fixture;
mod signer;

mod access_tokens;
mod account;
mod algorithms;
mod answers;
mod apps;
mod assertions;
mod audit;
mod authorize;
mod backchannel_logout;
mod bad_input;
mod claims;
mod client_documents;
mod client_keys;
mod clients;
mod code;
mod device;
mod discovery;
mod dpop;
mod gate;
mod logout;
mod mail;
mod pages;
mod par;
mod profiles;
mod prompt;
mod redirect_uris;
mod refresh;
mod refusals;
mod registration;
mod request_objects;
mod schema;
mod second_factor;
mod storage;
mod token_exchange;
mod token_requests;
mod upstreams;
