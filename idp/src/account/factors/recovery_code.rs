//! Recovery codes: for who has lost what gives the other codes. Ten, each good once.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{self, SecretHash};

use super::base32;
use crate::{
    App,
    store::{self, Tx, UserId, recovery_codes},
};

/// How many somebody has.
const COUNT: usize = 10;
/// 80 bits.
const BYTES: usize = 10;

/// Sixteen letters. Its `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecoveryCode").finish_non_exhaustive()
    }
}

/// `ABCD-EFGH-IJKL-MNOP`
impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::grouped(&self.0, "-"))
    }
}

impl RecoveryCode {
    #[must_use]
    pub fn generate() -> Self {
        Self(base32::encode(&secret::random::<BYTES>()))
    }

    /// As people type it: case and separators do not count, and what looks like a letter is one. `None` for
    /// what cannot be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let meant = |character: char| match character.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        };
        let code: String = typed.chars().filter(|character| character.is_alphanumeric()).map(meant).collect();
        let letters = code.bytes().all(|byte| base32::LETTERS.contains(&byte));
        (letters && code.len() == BYTES * 8 / 5).then_some(Self(code))
    }

    /// Under a key of ours, and for this person: whoever stole the database alone has nothing to compare guesses with.
    #[must_use]
    pub fn hash(&self, app: &App, user: UserId) -> SecretHash {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.recovery_code);
        let tag = hmac::sign(&key, format!("{user}\n{}", self.0).as_bytes());
        SecretHash::of(&URL_SAFE_NO_PAD.encode(tag))
    }
}

/// New ones instead of those that somebody had. They cannot be shown again.
pub async fn replace(app: &App, tx: &mut Tx, user: UserId) -> Result<Vec<RecoveryCode>, store::Error> {
    let codes: Vec<RecoveryCode> = (0..COUNT).map(|_| RecoveryCode::generate()).collect();
    let hashes: Vec<SecretHash> = codes.iter().map(|code| code.hash(app, user)).collect();
    recovery_codes::replace(tx, user, &hashes, app.clock.now()).await?;
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        let code = RecoveryCode::parse("OIBA-BCDE-2345-67XY").unwrap();
        assert_eq!(code.to_string(), "OIBA-BCDE-2345-67XY");
        for typed in ["oibabcde234567xy", " oiba bcde\n2345 67xy ", "018A–8CDE_2345.67XY"] {
            assert_eq!(RecoveryCode::parse(typed).as_ref(), Some(&code), "{typed:?}");
        }
        for wrong in
            ["", "OIBA-BCDE-2345-67X", "OIBA-BCDE-2345-67XYZ", "OIBA-BCDE-2345-67X9", "OIBA-BCDE-2345-67XÉ"]
        {
            assert_eq!(RecoveryCode::parse(wrong), None, "{wrong:?}");
        }
        let made = RecoveryCode::generate();
        assert_eq!(RecoveryCode::parse(&made.to_string()), Some(made));
    }
}
