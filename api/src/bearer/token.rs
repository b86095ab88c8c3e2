//! JWT access tokens (RFC 9068, RFC 7519): what they must say. [`super::keys`] checks who signed them.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use oxide_auth::primitives::{
    grant::{Extensions, Grant},
    scope::Scope,
};
use platform::jws::{NumericDate, media_type};
use serde::{Deserialize, de::IgnoredAny};

use crate::config::Config;

/// How far the issuer's clock may be ahead of ours: for `nbf` only. Expiry has no leeway.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// OpenID Connect Core §2: `sub` has at most 255 ASCII characters. We allow other characters, not more bytes.
const MAX_SUBJECT: usize = 255;

/// Whether this names a signature algorithm whose verification needs no secret.
#[must_use]
pub(crate) fn is_asymmetric(name: &str) -> bool {
    asymmetric(name).is_some()
}

pub(super) fn asymmetric(name: &str) -> Option<Algorithm> {
    Algorithm::from_str(name)
        .ok()
        .filter(|algorithm| !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512))
}

/// What a token must say.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    token_types: Vec<String>,
}

impl Rules {
    #[must_use]
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience().to_owned(),
            algorithms: config.algorithms.iter().filter_map(|name| asymmetric(name)).collect(),
            token_types: config.token_types.iter().map(|name| media_type(name)).collect(),
        }
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Signed by a key that is not in the set; a newer set may have it.
    UnknownKey,
    Rule(&'static str),
}

impl Refusal {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::UnknownKey => "kid: not among the issuer's keys",
            Self::Rule(rule) => rule,
        }
    }
}

/// A token whose signature and claims are good, from `not_before` until `expires_at`.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) grant: Grant,
    /// The thumbprint of the key that it is bound to (RFC 9449 §6.1).
    pub(super) jkt: Option<String>,
    /// When and how the person proved who they are (RFC 9068 §2.2.1).
    pub(super) auth_time: Option<DateTime<Utc>>,
    pub(super) acr: Option<String>,
    not_before: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

impl Verified {
    /// Whether it is good now. Asked at every use, however often it was checked.
    pub(super) fn judge(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.expires_at <= now {
            return Err(Refusal::Rule("exp: expired"));
        }
        if self.not_before.is_some_and(|not_before| not_before > now + LEEWAY) {
            return Err(Refusal::Rule("nbf: not yet valid"));
        }
        Ok(())
    }
}

/// Reads one part of a JWT. A member that occurs twice is an error, as RFC 7519 §4 allows.
pub(super) fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

/// RFC 7515 §4.1. `jku`, `jwk`, `x5u` and `x5c` are not even read: only the issuer names keys.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    typ: Option<String>,
    pub(super) kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Header {
    /// The signature's algorithm, if the header is one that we accept.
    pub(super) fn algorithm(&self, rules: &Rules) -> Result<Algorithm, Refusal> {
        let typ = self.typ.as_deref().map_or_else(|| "none".to_owned(), media_type);
        if !rules.token_types.contains(&typ) {
            return Err(Refusal::Rule("typ: not accepted"));
        }
        if self.crit.is_some() {
            return Err(Refusal::Rule("crit: extensions are not understood"));
        }
        asymmetric(&self.alg)
            .filter(|algorithm| rules.algorithms.contains(algorithm))
            .ok_or(Refusal::Rule("alg: not accepted"))
    }
}

#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
    cnf: Option<Confirmation>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
}

/// RFC 7800. Other ways of binding a token (a certificate) cannot be checked here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    jkt: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::Many(many) => many.iter().any(|one| one == text),
        }
    }

    fn joined(self) -> String {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many.join(" "),
        }
    }
}

fn time(date: &NumericDate) -> Result<DateTime<Utc>, Refusal> {
    date.time().ok_or(Refusal::Rule("exp, nbf, iat or auth_time: not a time"))
}

impl Claims {
    pub(super) fn verified(self, rules: &Rules) -> Result<Verified, Refusal> {
        if self.iss != rules.issuer {
            return Err(Refusal::Rule("iss: another issuer"));
        }
        if !self.aud.contains(&rules.audience) {
            return Err(Refusal::Rule("aud: another audience"));
        }
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT || self.sub.contains(char::is_control) {
            return Err(Refusal::Rule("sub: empty, too long or not text"));
        }
        if let Some(iat) = &self.iat {
            time(iat)?;
        }
        let scope = self.scope.or(self.scp).map(OneOrMany::joined).unwrap_or_default();
        let scope: Scope = scope.parse().map_err(|_| Refusal::Rule("scope: cannot be read"))?;
        let client_id = self.client_id.or(self.azp).unwrap_or_default();
        let redirect_uri =
            "urn:none".parse().map_err(|_| Refusal::Rule("a placeholder that is never followed"))?;
        Ok(Verified {
            // The machine reads the system's clock: `judge` decides on expiry, with ours.
            grant: Grant {
                owner_id: self.sub,
                client_id,
                scope,
                redirect_uri,
                until: DateTime::<Utc>::MAX_UTC,
                extensions: Extensions::new(),
            },
            auth_time: self.auth_time.as_ref().map(time).transpose()?,
            acr: self.acr,
            jkt: self.cnf.map(|cnf| cnf.jkt),
            not_before: self.nbf.as_ref().map(time).transpose()?,
            expires_at: time(&self.exp)?,
        })
    }
}
