//! Types of columns, so that one kind of id cannot go where another belongs.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$meta:meta])* $name:ident),*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one: UUIDv7, so that rows are stored in the order in which they were made.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

uuid_id! {
    /// `sub`
    UserId,
    /// `sid`
    SessionId,
    /// Names one authorization and everything that came from it.
    GrantId,
    PasskeyId,
    /// Names a mail that is owed, in the log.
    MailId,
    /// Names an account that somebody wants to make.
    SignUpId
}

/// `client_id`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct ClientId(pub String);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A list of words without spaces (URIs, grant types), stored as one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Words {
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|have| have == word)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }
}
