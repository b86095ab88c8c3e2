//! An authenticator as Web Authentication Level 3 has it, in software: honest unless a test tells it to lie.

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One credential, and what its authenticator and the browser around it say.
#[derive(Clone)]
pub struct Authenticator {
    key: Arc<EcdsaKeyPair>,
    pub id: Vec<u8>,
    pub rp_id: String,
    pub origin: String,
    /// Whose credential it says that it is; base64url.
    pub user_handle: Option<String>,
    pub counter: u32,
    pub user_verified: bool,
    pub user_present: bool,
    pub backed_up: bool,
    /// The page that asks is in a frame of another site.
    pub cross_origin: bool,
    /// Bits of its signature are turned around.
    pub forges: bool,
}

impl Authenticator {
    /// For the page of `origin`, whose credentials are for `rp_id`.
    pub fn new(origin: &str) -> Self {
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        Self {
            key: Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            id,
            rp_id: "localhost".to_owned(),
            origin: origin.to_owned(),
            user_handle: None,
            counter: 1,
            user_verified: true,
            user_present: true,
            backed_up: false,
            cross_origin: false,
            forges: false,
        }
    }

    /// Answers `navigator.credentials.create()`, and remembers whose the credential is.
    pub fn create(&mut self, options: &Value) -> String {
        let asked = &options["publicKey"];
        self.user_handle = asked["user"]["id"].as_str().map(str::to_owned);
        let auth_data = [self.auth_data(0x40), self.attested_credential_data()].concat();
        // {"fmt": "none", "attStmt": {}, "authData": …} (§6.5.4, §8.7)
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(auth_data.len()).unwrap().to_be_bytes());
        object.extend(auth_data);
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data("webauthn.create", &asked["challenge"])),
            "attestationObject": URL_SAFE_NO_PAD.encode(object),
            "transports": ["usb"],
        }))
    }

    /// Answers `navigator.credentials.get()`.
    pub fn get(&self, options: &Value) -> String {
        let client_data = self.client_data("webauthn.get", &options["publicKey"]["challenge"]);
        let auth_data = self.auth_data(0);
        let signed = [auth_data.as_slice(), &Sha256::digest(&client_data)].concat();
        let mut signature = self.key.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec();
        if self.forges {
            *signature.last_mut().unwrap() ^= 1;
        }
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(auth_data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": self.user_handle,
        }))
    }

    fn answer(&self, response: Value) -> String {
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
            .to_string()
    }

    /// §5.8.1
    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin })
            .to_string()
            .into_bytes()
    }

    /// §6.1
    fn auth_data(&self, more_flags: u8) -> Vec<u8> {
        let flags = u8::from(self.user_present) | u8::from(self.user_verified) << 2;
        // Backup eligibility, and backup state.
        let flags = flags | if self.backed_up { 0x18 } else { 0 } | more_flags;
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// §6.5.1, with an ES256 key in COSE (RFC 9053 §2.1, §7.1).
    fn attested_credential_data(&self) -> Vec<u8> {
        let mut data = vec![0; 16];
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        data.extend(b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20");
        data.extend(x);
        data.extend(b"\x22\x58\x20");
        data.extend(y);
        data
    }
}
