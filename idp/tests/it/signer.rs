//! Keys of clients, and what they sign.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub enum Key {
    Rsa(RsaKeyPair, &'static str),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair, &'static str),
}

impl Key {
    pub fn generate(algorithm: &str) -> Self {
        match algorithm {
            "ES256" => Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "EdDSA" => Self::Ed(Ed25519KeyPair::generate().unwrap(), "EdDSA"),
            "Ed25519" => Self::Ed(Ed25519KeyPair::generate().unwrap(), "Ed25519"),
            "PS256" => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), "PS256"),
            _ => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), "RS256"),
        }
    }

    /// The name of its algorithm.
    pub fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_, alg) | Self::Ed(_, alg) => alg,
            Self::Ec(_) => "ES256",
        }
    }

    /// The public half, without a name.
    pub fn public(&self) -> Value {
        let mut jwk = self.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(key, _) => {
                let numbers = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "kid": kid, "n": text(&numbers.n), "e": text(&numbers.e)})
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "kid": kid, "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Self::Ed(key, _) => {
                json!({"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": text(key.public_key().as_ref())})
            }
        }
    }

    /// A JWS in compact form.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let (bytes, random) = (message.as_bytes(), SystemRandom::new());
        let signature = match self {
            Self::Rsa(key, _) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, bytes, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Self::Ed(key, _) => key.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
