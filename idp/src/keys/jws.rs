//! JWTs signed by the ring, and JWTs that claim to be.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde::{Serialize, de::DeserializeOwned};

use super::{Algorithm, ring::Snapshot};

/// What a token is for, said in its `typ` header so that none is taken for another (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 9068 §2.1.
    AccessToken,
    /// OpenID Connect Core names no type: absent, or `JWT`.
    IdToken,
    /// Back-Channel Logout 1.0 §2.4.
    LogoutToken,
}

impl Kind {
    fn is(self, typ: Option<&str>) -> bool {
        match self.typ() {
            Some(own) => typ.is_some_and(|typ| {
                typ.eq_ignore_ascii_case(own)
                    || typ.strip_prefix("application/").is_some_and(|typ| typ.eq_ignore_ascii_case(own))
            }),
            None => typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT")),
        }
    }

    /// What we write; of ID tokens nothing, as relying parties know them.
    fn typ(self) -> Option<&'static str> {
        match self {
            Self::AccessToken => Some("at+jwt"),
            Self::IdToken => None,
            Self::LogoutToken => Some("logout+jwt"),
        }
    }
}

/// Not a token of ours: forged, foreign, of another type, expired, or not a JWT.
#[derive(Debug, thiserror::Error)]
#[error("not a token of ours: {0}")]
pub struct InvalidToken(pub &'static str);

impl Snapshot {
    /// Signs `claims` with the key that is active for `algorithm`.
    pub fn sign<T: Serialize>(
        &self,
        algorithm: Algorithm,
        kind: Kind,
        claims: &T,
    ) -> Result<String, InvalidToken> {
        let key = self.active(algorithm)?;
        let mut header = Header::new(algorithm.into());
        header.typ = kind.typ().map(str::to_owned);
        header.kid = Some(key.kid.clone());
        encode(&header, claims, &key.encoding).map_err(|_| InvalidToken("it could not be signed"))
    }

    /// Reads a token of ours: checks signature, `typ` and `iss`; `exp` too when `now` is given (an `id_token_hint` may be old).
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        kind: Kind,
        issuer: &str,
        now: Option<DateTime<Utc>>,
    ) -> Result<T, InvalidToken> {
        let header = decode_header(token).map_err(|_| InvalidToken("it is not a JWT"))?;
        if !kind.is(header.typ.as_deref()) {
            return Err(InvalidToken("its typ is another"));
        }
        let kid = header.kid.as_deref().ok_or(InvalidToken("it names no key"))?;
        let key = self.find(kid).ok_or(InvalidToken("its key is not in the ring"))?;
        let mut validation = Validation::new(key.algorithm.into());
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        validation.validate_exp = false; // by our clock, below
        validation.validate_aud = false; // the callers know which they want
        let verified = decode::<serde_json::Value>(token, &key.decoding, &validation)
            .map_err(|_| InvalidToken("its signature or issuer is not ours"))?;
        if let Some(now) = now {
            let expires = verified.claims.get("exp").and_then(serde_json::Value::as_i64);
            if expires.is_none_or(|expires| expires <= now.timestamp()) {
                return Err(InvalidToken("it has expired"));
            }
        }
        serde_json::from_value(verified.claims)
            .map_err(|_| InvalidToken("its claims are not those of its type"))
    }
}
