//! Passwords that have leaked and are tried first: refused as new ones (NIST SP 800-63B-4 §3.1.1.2).
//!
//! The table holds the first 4 bytes of the SHA-256 of each, sorted. Of passwords that are in no list, one in
//! 200,000 is taken for one that is. `breached.md` says where the lists are from, and how the table is made.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::MIN_CHARACTERS;

static TABLE: &[u8] = include_bytes!("breached.bin");

type Fingerprint = [u8; 4];

/// Whether a password (NFC) is in one of the lists, in whatever case.
#[must_use]
pub fn contains(password: &str) -> bool {
    let (entries, _) = TABLE.as_chunks::<4>();
    entries.binary_search(&fingerprint(password)).is_ok()
}

/// The table for these passwords, without those that are too short anyway.
#[must_use]
pub fn table<'a>(passwords: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let normalized = passwords.into_iter().map(|password| password.nfc().collect::<String>());
    let long_enough = normalized.filter(|password| password.chars().count() >= MIN_CHARACTERS);
    let entries: BTreeSet<Fingerprint> = long_enough.map(|password| fingerprint(&password)).collect();
    entries.into_iter().flatten().collect()
}

fn fingerprint(password: &str) -> Fingerprint {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(password.to_lowercase()));
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_leaked_is_known_in_whatever_case() {
        for known in ["password1", "PassWord1", "qwertyuiop", "iloveyou", "baseball", "12345678"] {
            assert!(contains(known), "{known}");
        }
        for new in ["correct horse battery staple", "kuddelmuddel im Fahrstuhl", "", "short"] {
            assert!(!contains(new), "{new}");
        }
    }

    #[test]
    fn the_table_is_sorted_small_and_hardly_ever_wrong() {
        let (entries, rest) = TABLE.as_chunks::<4>();
        assert!(rest.is_empty() && entries.is_sorted_by(|a, b| a < b));
        assert!(entries.len() > 20_000 && TABLE.len() < 300_000);
        let wrong = (0..200_000).filter(|number| contains(&format!("in no list: {number}"))).count();
        assert!(wrong <= 5, "{wrong} of 200,000");
    }

    #[test]
    fn a_table_holds_what_can_be_chosen_once() {
        let made = table(["Caf\u{e9} noir", "cafe\u{301} NOIR", "short"]);
        assert_eq!(made, fingerprint("caf\u{e9} noir"));
    }
}
