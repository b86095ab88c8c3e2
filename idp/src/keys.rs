//! The key ring: a directory of RSA keys that sign tokens, and a master secret from which all others come.
//!
//! `<activation time>.<kid>.pem`, PKCS#8, mode 0600; kid = RFC 7638 thumbprint. The newest key whose
//! activation time has come signs; every key in the directory is published. All of it is a pure function
//! of the listing and the clock, so any number of nodes with the same directory agree.

mod algorithm;
mod jws;
mod ring;
mod signing_key;

pub use algorithm::Algorithm;
pub use jws::{InvalidToken, Kind};
pub use ring::{KeyInfo, KeyRing, OpenError, PUBLISHED_FOR, Rotation, Snapshot, master_secret};
pub use signing_key::SigningKey;
