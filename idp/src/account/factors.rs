//! Ways to prove who one is, and what tokens say of them: `amr` (RFC 8176) and `acr`.

mod base32;
pub mod qr_code;
pub mod recovery_code;
mod totp;

pub use recovery_code::RecoveryCode;
pub use totp::TotpSecret;

use crate::{
    App,
    store::{
        Conn, Error, Tx, UserId, Words, passkeys, recovery_codes, totp_secrets, upstream_identities, users,
    },
};

/// `acr` of a log-in by one factor.
pub const ACR_ONE_FACTOR: &str = "urn:latchkey:acr:1fa";
/// `acr` of a log-in by two factors of different kinds.
pub const ACR_TWO_FACTORS: &str = "urn:latchkey:acr:2fa";

/// RFC 8176 §2: more than one factor.
const MFA: &str = "mfa";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Password,
    /// A code sent to the e-mail address.
    MailedCode,
    /// A passkey; with user verification it is possession and knowledge or biometry at once.
    Passkey {
        user_verified: bool,
    },
    /// A code of an authenticator app.
    Totp,
    RecoveryCode,
    /// Another provider said so.
    Upstream,
}

impl Method {
    /// Registered names; none where no name is registered.
    fn amr(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::MailedCode | Self::Totp | Self::RecoveryCode => &["otp"],
            Self::Passkey { user_verified: false } => &["pop"],
            Self::Passkey { user_verified: true } => &["pop", MFA],
            Self::Upstream => &[],
        }
    }

    /// What a log-in begins with.
    #[must_use]
    pub fn first(self) -> Words {
        Words(self.amr().iter().map(|&word| word.to_owned()).collect())
    }

    /// What a log-in comes to that had proved `before`, by another factor.
    #[must_use]
    pub fn second(self, before: &Words) -> Words {
        let mut amr = before.clone();
        let more = self.amr().iter().copied().chain([MFA]);
        for word in more {
            if !amr.has(word) {
                amr.0.push(word.to_owned());
            }
        }
        amr
    }
}

/// What somebody has set up to prove who they are, beside the password.
#[derive(Clone, Copy, Debug, Default)]
pub struct Enrolled {
    /// An authenticator app: asked for at every log-in by one factor.
    pub totp: bool,
    /// Asked for when something else demands a further factor.
    pub passkeys: bool,
}

impl Enrolled {
    /// Whether one factor is not enough for this person.
    #[must_use]
    pub fn demands_second(self) -> bool {
        self.totp
    }

    /// Whether they can prove a second factor where one is demanded.
    #[must_use]
    pub fn has_second(self) -> bool {
        self.totp || self.passkeys
    }
}

pub async fn enrolled(app: &App, conn: &mut Conn, user: UserId) -> Result<Enrolled, Error> {
    let totp = totp_secrets::find(conn, user).await?.is_some();
    let passkeys = app.passkeys.is_some() && passkeys::any(conn, user).await?;
    Ok(Enrolled { totp, passkeys })
}

/// Recovery codes stand in for a second factor: they go with the last one.
pub async fn forget_recovery(app: &App, tx: &mut Tx, user: UserId) -> Result<(), Error> {
    if enrolled(app, tx, user).await?.has_second() {
        return Ok(());
    }
    recovery_codes::delete(tx, user).await
}

/// In how many ways somebody could begin to log in now: a password, passkeys, and each provider that they are known at.
/// What is the only one must not be taken away; lock the person while that is decided ([`users::lock`]).
pub async fn ways_in(app: &App, conn: &mut Conn, user_id: UserId) -> Result<usize, Error> {
    let password = users::find_password(conn, user_id).await?.is_some();
    let passkeys = if app.passkeys.is_some() { passkeys::list(conn, user_id).await?.len() } else { 0 };
    let identities = upstream_identities::list(conn, user_id).await?;
    let usable = identities.iter().filter(|identity| app.upstream_of(&identity.issuer).is_some());
    Ok(usize::from(password) + passkeys + usable.count())
}

#[must_use]
pub fn is_two_factors(amr: &Words) -> bool {
    amr.has(MFA)
}

#[must_use]
pub fn acr(amr: &Words) -> &'static str {
    if is_two_factors(amr) { ACR_TWO_FACTORS } else { ACR_ONE_FACTOR }
}
