//! Encryption of what is stored and must be read again, under AES-256-GCM.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// A random nonce, then `text` encrypted. `owner` is not in it, and has to be named again to open it: what was
/// sealed for one cannot be passed off as another's.
///
/// # Panics
/// Never: the key has the right length, and what we store is far below the cipher's limit of 64 GiB.
#[must_use]
#[expect(clippy::expect_used, reason = "see Panics")]
pub fn seal(key: &[u8; 32], owner: &[u8], mut text: Vec<u8>) -> Vec<u8> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has 32 bytes");
    let nonce = key.seal_in_place_append_tag(Aad::from(owner), &mut text).expect("the text is small");
    [nonce.as_ref().as_slice(), &text].concat()
}

/// What [`seal`] sealed under the same key for the same owner.
#[must_use]
pub fn open(key: &[u8; 32], owner: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    key.open_in_place(nonce, Aad::from(owner), text).ok().map(|text| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_and_the_owner_open_what_was_sealed() {
        let key = [7; 32];
        let sealed = seal(&key, b"alice", b"a secret".to_vec());
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        assert_eq!(open(&key, b"alice", sealed.clone()).unwrap(), b"a secret");
        assert_eq!(open(&key, b"bob", sealed.clone()), None);
        assert_eq!(open(&[8; 32], b"alice", sealed.clone()), None);
        assert_ne!(seal(&key, b"alice", b"a secret".to_vec()), sealed, "each has a nonce of its own");
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(open(&key, b"alice", changed), None);
        assert_eq!(open(&key, b"alice", vec![1; 5]), None);
    }
}
