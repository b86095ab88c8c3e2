//! The key ring: a directory of keys that sign tokens, and a master secret from which all others come.
//!
//! `<activation time>.<kid>.pem` signs with RS256, `<activation time>.<algorithm>.<kid>.pem` with another; PKCS#8,
//! mode 0600; kid = RFC 7638 thumbprint. Of each algorithm, the newest key whose activation time has come signs;
//! every key in the directory is published. All of it is a pure function of the listing and the clock, so any
//! number of nodes with the same directory agree.

mod algorithm;
mod directory;
mod jws;
mod ring;
mod signing_key;

pub use algorithm::Algorithm;
pub use directory::{OpenError, master_secret};
pub use jws::{InvalidToken, Kind};
pub use ring::{KeyInfo, KeyRing, PUBLISHED_FOR, Rotation, Snapshot};
pub use signing_key::SigningKey;
