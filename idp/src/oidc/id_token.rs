//! ID Token, OpenID Connect Core §2: who logged in, when and how. What else is known of them is at userinfo.

use chrono::{DateTime, Utc};
use openidconnect::{
    AccessToken, AdditionalClaims, Audience, AuthenticationContextClass, AuthenticationMethodReference,
    IdToken, IdTokenClaims, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey, SigningError, StandardClaims,
    SubjectIdentifier,
    core::{
        CoreGenderClaim, CoreJsonCurveType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    },
};
use serde::{Deserialize, Serialize};

use super::standard_claims;
use crate::{
    App,
    account::factors,
    config,
    keys::{Algorithm, InvalidToken, Kind, SigningKey},
    oauth2::{access_token, error::TokenError},
    store::{SessionId, UserId, clients::Client, grants::Grant, users},
};

/// OpenID Connect Back-Channel Logout 1.0 §2.1.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct More {
    sid: SessionId,
}

impl AdditionalClaims for More {}

type Token = IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Signs the ID token that goes with `access_token` (`at_hash`).
pub async fn issue(
    app: &App,
    client: &Client,
    grant: &Grant,
    nonce: Option<String>,
    access_token: &str,
    now: DateTime<Utc>,
) -> Result<String, TokenError> {
    const UNSIGNED: InvalidToken = InvalidToken("it could not be signed");
    let about = if grant.claims.0.iter().any(|word| word.starts_with("id_token:")) {
        let mut conn = app.db.read().await?;
        let user = users::find(&mut conn, grant.user_id).await?;
        let user = user.ok_or(TokenError::InvalidGrant("its user is gone"))?;
        standard_claims::about(&user, |claim| grant.claims.has(&format!("id_token:{claim}")))
    } else {
        StandardClaims::new(SubjectIdentifier::new(grant.user_id.to_string()))
    };
    let claims = IdTokenClaims::new(
        IssuerUrl::new(app.config.issuer.clone()).map_err(|_| UNSIGNED)?,
        vec![Audience::new(grant.client_id.0.clone())],
        now + config::seconds(app.config.tokens.id_token_lifetime),
        now,
        about,
        More { sid: grant.session_id },
    )
    .set_auth_time(Some(grant.auth_time))
    .set_auth_context_ref(Some(AuthenticationContextClass::new(factors::acr(&grant.amr).to_owned())))
    .set_auth_method_refs(
        (!grant.amr.0.is_empty())
            .then(|| grant.amr.0.iter().cloned().map(AuthenticationMethodReference::new).collect()),
    )
    .set_nonce(nonce.map(Nonce::new));
    let keys = app.keys.snapshot();
    let algorithm = client.id_token_signed_response_alg;
    let signer = Signer(keys.active(algorithm)?);
    let access_token = AccessToken::new(access_token.to_owned());
    let token =
        Token::new(claims, &signer, named(algorithm), Some(&access_token), None).map_err(|_| UNSIGNED)?;
    Ok(token.to_string())
}

/// Lets openidconnect sign with a key that was parsed when it was loaded.
struct Signer<'a>(&'a SigningKey);

impl PrivateSigningKey for Signer<'_> {
    type VerificationKey = CoreJsonWebKey;

    fn sign(&self, algorithm: &CoreJwsSigningAlgorithm, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        if *algorithm != named(self.0.algorithm) {
            return Err(SigningError::UnsupportedAlg(format!("{algorithm:?}")));
        }
        self.0.sign(message).map_err(|_| SigningError::CryptoError)
    }

    /// openidconnect reads no more of it than the `kid`, and of what kind it is (`at_hash`).
    fn as_verification_key(&self) -> CoreJsonWebKey {
        let kid = Some(JsonWebKeyId::new(self.0.kid.clone()));
        match self.0.algorithm {
            Algorithm::RS256 | Algorithm::PS256 => CoreJsonWebKey::new_rsa(Vec::new(), Vec::new(), kid),
            Algorithm::ES256 => CoreJsonWebKey::new_ec(Vec::new(), Vec::new(), CoreJsonCurveType::P256, kid),
            Algorithm::EdDSA => CoreJsonWebKey::new_okp(Vec::new(), CoreJsonCurveType::Ed25519, kid),
        }
    }
}

/// As openidconnect calls it.
#[must_use]
pub fn named(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
    }
}

/// What an ID token of ours proves when it is handed back: by whom and for whom it was asked for.
#[derive(Debug, Deserialize)]
pub struct Hint {
    pub sub: UserId,
    pub aud: access_token::Audience,
    pub sid: Option<SessionId>,
}

/// Reads an `id_token_hint`. It may have expired (Core §3.1.2.1, RP-Initiated Logout 1.0 §2).
pub fn read_hint(app: &App, token: &str) -> Result<Hint, InvalidToken> {
    app.keys.snapshot().verify(token, Kind::IdToken, &app.config.issuer, None)
}
