//! Codes of an authenticator app: TOTP, RFC 6238, over HOTP, RFC 4226. SHA-1, 30 seconds and six digits are what
//! every app can do.

use std::{fmt, ops::RangeInclusive};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use platform::{seal, secret};
use zeroize::Zeroizing;

use super::base32;
use crate::{App, store::UserId};

/// RFC 6238 §4.1, in seconds.
const STEP: i64 = 30;
/// RFC 6238 §5.2: how many steps the clock of a phone may be off, either way.
const DRIFT: i64 = 1;
/// RFC 4226 §5.3: six digits.
const CODES: u32 = 1_000_000;
/// RFC 4226 §4, R6.
const BYTES: usize = 20;

/// What an authenticator app and we know. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<[u8; BYTES]>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TotpSecret").finish_non_exhaustive()
    }
}

impl TotpSecret {
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(secret::random()))
    }

    /// As it is stored: good for this person only.
    #[must_use]
    pub fn seal(&self, app: &App, user: UserId) -> Vec<u8> {
        seal::seal(&app.secrets.totp, user.0.as_bytes(), self.0.to_vec())
    }

    /// What [`Self::seal`] sealed. `None` means that it is not of this key ring.
    #[must_use]
    pub fn open(app: &App, user: UserId, sealed: Vec<u8>) -> Option<Self> {
        let opened = Zeroizing::new(seal::open(&app.secrets.totp, user.0.as_bytes(), sealed)?);
        let secret: [u8; BYTES] = opened.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(secret)))
    }

    /// To be typed where nothing can be scanned: `ABCD EFGH …`
    #[must_use]
    pub fn shown(&self) -> String {
        base32::grouped(&base32::encode(self.0.as_slice()), " ")
    }

    /// What the QR code says, in the form that authenticator apps agreed on.
    #[must_use]
    pub fn uri(&self, place: &str, account: &str) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (place, account) = (encoded(place), encoded(account));
        format!(
            "otpauth://totp/{place}:{account}?secret={}&issuer={place}",
            base32::encode(self.0.as_slice())
        )
    }

    /// The time step whose code was typed; `None` when it is none of these days. Compared in constant time.
    #[must_use]
    pub fn step_of(&self, typed: &str, now: DateTime<Utc>) -> Option<i64> {
        let code: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
        let matches = |step: &i64| secret::equal(&self.code(*step), &code);
        // All of them: when one was right is nobody's business. The newest, should two be alike.
        window(now).filter(matches).max()
    }

    /// Six digits.
    fn code(&self, step: i64) -> String {
        format!("{:06}", hotp(self.0.as_slice(), step) % CODES)
    }
}

fn window(now: DateTime<Utc>) -> RangeInclusive<i64> {
    let step = now.timestamp().div_euclid(STEP);
    step - DRIFT..=step + DRIFT
}

/// RFC 4226 §5.3: 31 bits of an HMAC, from where its last four say.
fn hotp(secret: &[u8], counter: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let offset = tag.as_ref().last().map_or(0, |last| usize::from(last & 0xf));
    let bytes = tag.as_ref().iter().skip(offset).take(4);
    bytes.fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const SECRET: &[u8; BYTES] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// RFC 4226, Appendix D.
    #[test]
    fn the_codes_of_rfc_4226_come_out() {
        let codes =
            [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, code) in (0..).zip(codes) {
            assert_eq!(hotp(SECRET, counter) % CODES, code, "{counter}");
        }
    }

    /// RFC 6238, Appendix B: eight digits, of which six are ours.
    #[test]
    fn the_codes_of_rfc_6238_come_out() {
        let codes = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        let secret = TotpSecret(Zeroizing::new(*SECRET));
        for (seconds, code) in codes {
            let step = seconds / STEP;
            assert_eq!(hotp(SECRET, step) % 100_000_000, code, "{seconds}");
            assert_eq!(secret.step_of(&format!("{:06}", code % CODES), at(seconds)), Some(step));
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let secret = TotpSecret(Zeroizing::new(*SECRET));
        let code = secret.code(1000);
        for (seconds, good) in
            [(29_969, false), (29_970, true), (30_000, true), (30_059, true), (30_060, false)]
        {
            assert_eq!(secret.step_of(&code, at(seconds)), good.then_some(1000), "{seconds}");
        }
        let spaced = format!(" {} {}\n", &code[..3], &code[3..]);
        assert_eq!(secret.step_of(&spaced, at(30_000)), Some(1000));
        for wrong in ["", "0", "000000", &code[1..], &format!("{code}0"), "１２３４５６"] {
            assert_eq!(secret.step_of(wrong, at(30_000)), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_do_not_break_the_address_of_a_secret() {
        let secret = TotpSecret(Zeroizing::new(*SECRET));
        assert_eq!(
            secret.uri("A & B: C", "a+b@example.com"),
            "otpauth://totp/A%20%26%20B%3A%20C:a%2Bb%40example%2Ecom\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%20%26%20B%3A%20C"
        );
        assert_eq!(secret.shown(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
