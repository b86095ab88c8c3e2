//! What is written down. Never a secret, and of people nothing but their ids.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    account::factors::Method,
    store::{ClientId, SessionId, grants::Grant},
};

/// `client_id` and `session` have columns of their own, whatever the event; `event` is its name there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    SignedUp,
    LoggedIn {
        session: SessionId,
        /// RFC 8176, space-separated.
        amr: String,
        /// The account was never used in this browser, and is not new itself.
        new_browser: bool,
    },
    /// Of nobody, when the address is nobody's.
    LogInFailed {
        factor: Factor,
    },
    SecondFactorPassed {
        factor: Factor,
    },
    SecondFactorFailed {
        factor: Factor,
    },
    LoggedOut {
        session: SessionId,
    },
    /// From another one, or by an operator.
    SessionEnded {
        session: SessionId,
    },
    /// Everywhere but where it was asked for.
    OtherSessionsEnded,
    PasswordChanged,
    /// By a link that was mailed, or by an operator: the old one was not asked for.
    PasswordReset,
    EmailChanged,
    EmailVerified,
    /// An address that had been changed is the person's again.
    EmailTakenBack,
    FactorAdded {
        factor: Factor,
    },
    FactorRemoved {
        factor: Factor,
    },
    PasskeyAdded {
        /// As its owner calls it.
        name: String,
    },
    PasskeyRenamed {
        name: String,
    },
    PasskeyRemoved {
        name: String,
    },
    /// Its counter went back: somebody has a copy.
    PasskeyCloned {
        name: String,
    },
    UpstreamLinked {
        upstream: String,
    },
    UpstreamUnlinked {
        upstream: String,
    },
    /// All of them: the person cannot prove them any more.
    SecondFactorsReset,
    /// What somebody else may have set up to log in with: the address was proved, or taken back.
    CredentialsReset,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    /// Somebody allowed it what it asked for.
    ConsentGiven {
        client_id: ClientId,
        scope: String,
    },
    ConsentRevoked {
        client_id: ClientId,
    },
    /// It was given a grant.
    AppConnected {
        client_id: ClientId,
        session: SessionId,
        scope: String,
    },
    /// Its grants have ended.
    AppDisconnected {
        client_id: ClientId,
    },
    /// The grant of one device has.
    DeviceDisconnected {
        client_id: ClientId,
    },
    /// It was used twice: what came from it has ended.
    Replayed {
        client_id: ClientId,
        session: SessionId,
        what: Replayed,
    },
    ClientAdded {
        client_id: ClientId,
    },
    ClientChanged {
        client_id: ClientId,
    },
    ClientDisabled {
        client_id: ClientId,
    },
    ClientEnabled {
        client_id: ClientId,
    },
    ClientRemoved {
        client_id: ClientId,
    },
    /// By itself (RFC 7591).
    ClientRegistered {
        client_id: ClientId,
    },
    RegistrationTokenMade {
        uses: u32,
    },
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    /// What apps may ask for; the names of the claims.
    ProfileChanged {
        claims: Vec<String>,
    },
    DataExported,
    DeletionRequested {
        delete_at: DateTime<Utc>,
    },
    /// Its owner thought better of it.
    AccountKept,
    KeysRotated {
        /// The old ones may be somebody else's by now.
        compromised: bool,
    },
}

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    Password,
    MailedCode,
    Passkey,
    Totp,
    RecoveryCode,
    Upstream,
}

/// What is good for one use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    Code,
    RefreshToken,
}

impl Event {
    /// What came from `grant` has ended.
    #[must_use]
    pub fn replayed(grant: &Grant, what: Replayed) -> Self {
        Self::Replayed { client_id: grant.client_id.clone(), session: grant.session_id, what }
    }

    /// `success`, or `failure` of who tried.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::LogInFailed { .. }
            | Self::SecondFactorFailed { .. }
            | Self::PasskeyCloned { .. }
            | Self::Replayed { .. } => "failure",
            _ => "success",
        }
    }

    /// A sentence without its end, about whom it happened to; `app` is the name of the client.
    #[must_use]
    pub fn words(&self, app: &str) -> String {
        match self {
            Self::SignedUp => "Signed up".to_owned(),
            Self::LoggedIn { amr, .. } if amr.split(' ').any(|word| word == "mfa") => {
                "Logged in, with two steps".to_owned()
            }
            Self::LoggedIn { .. } => "Logged in".to_owned(),
            Self::LogInFailed { factor } => format!("A log-in failed with {}", factor.words()),
            Self::SecondFactorPassed { factor } => format!("Second step passed with {}", factor.words()),
            Self::SecondFactorFailed { factor } => {
                format!("The second step of a log-in failed with {}", factor.words())
            }
            Self::LoggedOut { .. } => "Logged out".to_owned(),
            Self::SessionEnded { .. } => "Logged out on a device".to_owned(),
            Self::OtherSessionsEnded => "Logged out everywhere else".to_owned(),
            Self::PasswordChanged => "Password changed".to_owned(),
            Self::PasswordReset => "Password replaced by a new one".to_owned(),
            Self::EmailChanged => "E-mail address changed".to_owned(),
            Self::EmailTakenBack => "Change of the e-mail address taken back".to_owned(),
            Self::EmailVerified => "E-mail address confirmed".to_owned(),
            Self::FactorAdded { factor } => format!("Set up: {}", factor.words()),
            Self::FactorRemoved { factor } => format!("Removed: {}", factor.words()),
            Self::PasskeyAdded { name } => format!("Passkey added: {name}"),
            Self::PasskeyRenamed { name } => format!("Passkey renamed: {name}"),
            Self::PasskeyRemoved { name } => format!("Passkey removed: {name}"),
            Self::PasskeyCloned { name } => {
                format!("A passkey was refused, as there is a copy of it: {name}")
            }
            Self::UpstreamLinked { upstream } => format!("Log-in with {upstream} set up"),
            Self::UpstreamUnlinked { upstream } => format!("Log-in with {upstream} removed"),
            Self::CredentialsReset => {
                "What had been set up to log in with is good no more: the e-mail address was shown to be yours"
                    .to_owned()
            }
            Self::SecondFactorsReset => "All second steps of the log-in removed".to_owned(),
            Self::RecoveryCodesMade => "New recovery codes made".to_owned(),
            Self::RecoveryCodeUsed => "A recovery code was used".to_owned(),
            Self::ConsentGiven { scope, .. } => format!("{app} was allowed: {scope}"),
            Self::ConsentRevoked { .. } => format!("{app} is not allowed anything any more"),
            Self::AppConnected { .. } => format!("Logged in to {app}"),
            Self::AppDisconnected { .. } => format!("{app} was disconnected"),
            Self::DeviceDisconnected { .. } => format!("A device was disconnected from {app}"),
            Self::Replayed { what, .. } => {
                let what = match what {
                    Replayed::Code => "a code",
                    Replayed::RefreshToken => "a refresh token",
                };
                format!("{app} was disconnected: {what} of it was used twice")
            }
            Self::ClientAdded { .. } => format!("{app} was added"),
            Self::ClientChanged { .. } => format!("{app} was changed"),
            Self::ClientDisabled { .. } => format!("{app} was disabled"),
            Self::ClientEnabled { .. } => format!("{app} was enabled again"),
            Self::ClientRemoved { .. } => format!("{app} was removed"),
            Self::ClientRegistered { .. } => format!("{app} registered itself"),
            Self::RegistrationTokenMade { uses } => format!("A registration token for {uses} was made"),
            Self::UserAdded => "Account made".to_owned(),
            Self::UserDisabled => "Account disabled".to_owned(),
            Self::UserEnabled => "Account enabled again".to_owned(),
            Self::UserDeleted => "Account deleted".to_owned(),
            Self::ProfileChanged { claims } => format!("Profile changed: {}", claims.join(", ")),
            Self::DataExported => "A copy of the account's data was downloaded".to_owned(),
            Self::DeletionRequested { delete_at } => {
                format!("The account is to be deleted on {}", delete_at.format("%-d %B %Y"))
            }
            Self::AccountKept => "The account is kept after all".to_owned(),
            Self::KeysRotated { compromised: true } => "Signing keys replaced at once".to_owned(),
            Self::KeysRotated { compromised: false } => "Signing keys rotated".to_owned(),
        }
    }
}

impl From<Method> for Factor {
    fn from(method: Method) -> Self {
        match method {
            Method::Password => Self::Password,
            Method::MailedCode => Self::MailedCode,
            Method::Passkey { .. } => Self::Passkey,
            Method::Totp => Self::Totp,
            Method::RecoveryCode => Self::RecoveryCode,
            Method::Upstream => Self::Upstream,
        }
    }
}

impl Factor {
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Password => "a password",
            Self::MailedCode => "a mailed code",
            Self::Passkey => "a passkey",
            Self::Totp => "an authenticator app",
            Self::RecoveryCode => "a recovery code",
            Self::Upstream => "another provider",
        }
    }
}
