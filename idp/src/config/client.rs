//! Clients that are declared in the configuration.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::{keys::Algorithm, store::clients::Profile};

/// A client, with the names of RFC 7591.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    pub client_id: String,
    /// Shown to people who are asked for consent.
    pub name: String,
    /// Without one the client is public.
    pub client_secret: Option<SecretString>,
    pub client_secret_file: Option<PathBuf>,
    /// A JWK Set of public keys, one of which signs the client's assertions.
    pub jwks: Option<serde_json::Value>,
    pub jwks_file: Option<PathBuf>,
    /// Where its JWK Set is, instead of one.
    pub jwks_uri: Option<String>,
    /// `client_secret_basic` (default with a secret), `client_secret_post`, `private_key_jwt` (default with
    /// keys), `none` (default without either).
    pub token_endpoint_auth_method: Option<String>,
    /// Which rules it is held to. Default: `oauth21` for public clients, else `oidc`.
    pub profile: Option<Profile>,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session has ended (Back-Channel Logout 1.0 §2.2).
    pub backchannel_logout_uri: Option<String>,
    /// It wants to know which session.
    pub backchannel_logout_session_required: bool,
    /// Where it lets a log-in begin that others ask for (Core §4): people find it on their account page.
    pub initiate_login_uri: Option<String>,
    /// Default: `authorization_code` and `refresh_token`.
    pub grant_types: Option<Vec<String>>,
    /// All that it may ask for. Default: `openid profile email`.
    pub scope: Option<String>,
    /// Of its access tokens when it names no `resource`.
    pub audience: String,
    /// Default: `RS256`; `PS256` with the profile `fapi2`.
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// Nobody is asked for consent.
    pub first_party: bool,
    /// Default: unless the profile is `oidc`. Public clients cannot do without.
    pub require_pkce: Option<bool>,
    /// RFC 9126 §6: what the browser brings is refused, unless it names a request that was pushed.
    pub require_pushed_authorization_requests: bool,
    /// RFC 9101 §10.5: what it asks for has to be signed.
    pub require_signed_request_object: bool,
    /// RFC 9449 §5.2: its access tokens are bound to a key.
    pub dpop_bound_access_tokens: bool,
    /// Nobody gets to it by one factor.
    pub require_second_factor: bool,
}
