//! User codes, RFC 8628 §6.1: short enough to be typed with a remote control, without vowels that would make words.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{self, SecretHash};

use crate::App;

/// 20 letters: 8 of them are 34 bits.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Eight letters. Its `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserCode").finish_non_exhaustive()
    }
}

impl UserCode {
    #[must_use]
    pub fn generate() -> Self {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let [byte] = secret::random::<1>();
            // 240 is the largest multiple of 20 in a byte: every letter is as likely as any other.
            let letter = LETTERS.get(usize::from(byte % 20)).filter(|_| byte < 240);
            code.extend(letter.map(|letter| char::from(*letter)));
        }
        Self(code)
    }

    /// As people type it: case and separators do not count. `None` for what cannot be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let code: String = typed
            .chars()
            .filter(|character| character.is_alphanumeric())
            .flat_map(char::to_uppercase)
            .collect();
        let letters = code.bytes().all(|byte| LETTERS.contains(&byte));
        (letters && code.len() == LENGTH).then_some(Self(code))
    }

    /// Under a key of ours: whoever stole the database alone would find a plain hash by trying all codes.
    #[must_use]
    pub fn hash(&self, app: &App) -> SecretHash {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.user_code);
        SecretHash::of(&URL_SAFE_NO_PAD.encode(hmac::sign(&key, self.0.as_bytes())))
    }
}

/// `WDJB-MJHT`
impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (front, back) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        write!(f, "{front}-{back}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        assert_eq!(code.to_string(), "WDJB-MJHT");
        for typed in ["wdjbmjht", " wdjb mjht ", "W.D.J.B–m_jht\n", "wdJB--MJht"] {
            assert_eq!(UserCode::parse(typed).as_ref(), Some(&code), "{typed:?}");
        }
        for wrong in
            ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJH1", "WDJB-MJHA", "ＷDJB-MJHT", "ﬀDJBMJHT", "WDJB-MJHÉ"]
        {
            assert_eq!(UserCode::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn codes_are_made_of_all_letters() {
        let made: String = (0..200).map(|_| UserCode::generate().to_string()).collect();
        assert!(LETTERS.iter().all(|letter| made.contains(char::from(*letter))));
        assert!(UserCode::parse(&UserCode::generate().to_string()).is_some());
    }
}
