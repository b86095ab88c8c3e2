//! Provider metadata, OpenID Connect Discovery 1.0 §3 and RFC 8414: all that works, nothing that does not.

use axum::{
    extract::{Request, State},
    response::Response,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthUrl, AuthenticationContextClass, IssuerUrl, JsonWebKeySetUrl,
    ProviderMetadata, RegistrationUrl, ResponseTypes, Scope, TokenUrl, UserInfoUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use platform::{dpop, jws};
use serde::{Deserialize, Serialize};

use super::{document::Document, id_token, standard_claims::ABOUT_PEOPLE};
use crate::{
    App, Config,
    account::factors::{ACR_ONE_FACTOR, ACR_TWO_FACTORS},
    config::Registration,
    keys::Algorithm,
    oauth2::{scope, token::TOKEN_EXCHANGE},
};

/// Metadata that openidconnect has no name for, or no values.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct More {
    end_session_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    /// RFC 8628 §4.
    device_authorization_endpoint: String,
    /// OAuth Client ID Metadata Document §5. A draft: it is not named where it is not in use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    client_id_metadata_document_supported: bool,
    /// Back-Channel Logout 1.0 §2.1.
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    /// RFC 9126 §5.
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    /// RFC 8414 §2.
    code_challenge_methods_supported: Vec<String>,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 8414 §2: with `private_key_jwt`.
    token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RFC 9101 §4: openidconnect does not know the name Ed25519 (RFC 9864).
    request_object_signing_alg_values_supported: Vec<String>,
    /// RFC 9449 §5.1.
    dpop_signing_alg_values_supported: Vec<String>,
    /// RFC 9207 §3.
    authorization_response_iss_parameter_supported: bool,
    /// Initiating User Registration 1.0 §4.
    prompt_values_supported: Vec<String>,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Not a URL, or not JSON: cannot come of a configuration that was checked.
#[derive(Debug, thiserror::Error)]
#[error("the issuer makes no metadata: {0}")]
pub struct BadIssuer(String);

pub async fn get(State(app): State<App>, request: Request) -> Response {
    app.metadata.answer(request.headers())
}

pub fn document(config: &Config) -> Result<Document, BadIssuer> {
    let metadata = metadata(config).map_err(|error| BadIssuer(error.to_string()))?;
    serde_json::to_string(&metadata).map(Document::new).map_err(|error| BadIssuer(error.to_string()))
}

fn metadata(config: &Config) -> Result<Metadata, url::ParseError> {
    let issuer = &config.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let assertions = texts(&jws::ALGORITHMS.map(|(name, _)| name));
    let more = More {
        end_session_endpoint: at("/logout"),
        revocation_endpoint: at("/revoke"),
        introspection_endpoint: at("/introspect"),
        device_authorization_endpoint: at("/device_authorization"),
        client_id_metadata_document_supported: config.client_id_metadata_documents,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        pushed_authorization_request_endpoint: at("/par"),
        require_pushed_authorization_requests: false,
        code_challenge_methods_supported: texts(&["S256"]),
        revocation_endpoint_auth_methods_supported: texts(&[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ]),
        introspection_endpoint_auth_methods_supported: texts(&[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ]),
        token_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        revocation_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        introspection_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        request_object_signing_alg_values_supported: assertions,
        dpop_signing_alg_values_supported: texts(&dpop::algorithms()),
        authorization_response_iss_parameter_supported: true,
        prompt_values_supported: texts(&["none", "login", "consent", "select_account", "create"]),
    };
    let mut scopes = texts(&scope::OPENID);
    for scope in config.resources.iter().flat_map(|resource| &resource.scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    let mut grant_types = vec![
        CoreGrantType::AuthorizationCode,
        CoreGrantType::RefreshToken,
        CoreGrantType::ClientCredentials,
        CoreGrantType::DeviceCode,
    ];
    if !config.token_exchange.is_empty() {
        grant_types.push(CoreGrantType::Extension(TOKEN_EXCHANGE.to_owned()));
    }
    let claims = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "amr", "acr"];
    let claims = claims.into_iter().chain(ABOUT_PEOPLE.map(|(claim, _)| claim));
    Ok(Metadata::new(
        IssuerUrl::new(issuer.clone())?,
        AuthUrl::new(at("/authorize"))?,
        JsonWebKeySetUrl::new(at("/jwks"))?,
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public],
        Algorithm::ALL.map(id_token::named).to_vec(),
        more,
    )
    .set_token_endpoint(Some(TokenUrl::new(at("/token"))?))
    .set_registration_endpoint(match config.registration {
        Registration::Closed => None,
        Registration::Token | Registration::Open => Some(RegistrationUrl::new(at("/register"))?),
    })
    .set_userinfo_endpoint(Some(UserInfoUrl::new(at("/userinfo"))?))
    .set_scopes_supported(Some(scopes.into_iter().map(Scope::new).collect()))
    .set_response_modes_supported(Some(vec![CoreResponseMode::Query, CoreResponseMode::FormPost]))
    .set_grant_types_supported(Some(grant_types))
    .set_token_endpoint_auth_methods_supported(Some(vec![
        CoreClientAuthMethod::ClientSecretBasic,
        CoreClientAuthMethod::ClientSecretPost,
        CoreClientAuthMethod::PrivateKeyJwt,
        CoreClientAuthMethod::None,
    ]))
    .set_claim_types_supported(Some(vec![CoreClaimType::Normal]))
    .set_claims_supported(Some(claims.map(|claim| CoreClaimName::new(claim.to_owned())).collect()))
    .set_claims_parameter_supported(Some(true))
    .set_acr_values_supported(Some(
        [ACR_ONE_FACTOR, ACR_TWO_FACTORS].map(|acr| AuthenticationContextClass::new(acr.to_owned())).into(),
    ))
    .set_request_parameter_supported(Some(true))
    // Its default is true.
    .set_request_uri_parameter_supported(Some(false)))
}
