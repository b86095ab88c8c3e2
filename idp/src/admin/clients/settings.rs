//! What a client's settings may be, and the registration that follows from them.

use platform::secret::{ExposeSecret, SecretHash, SecretString};

use super::Error;
use crate::{
    config::ClientConfig,
    keys::Algorithm,
    oauth2::{
        client_assertion, redirect_uri, scope,
        token::{DEVICE_CODE, TOKEN_EXCHANGE},
    },
    outbound,
    store::{
        ClientId, Words,
        clients::{Client, Profile},
    },
};

const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
const GRANT_TYPES: [&str; 5] =
    ["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE, TOKEN_EXCHANGE];
const DEFAULT_SCOPE: &str = "openid profile email";

/// Everything that is wrong with a client's settings.
#[must_use]
pub fn check(client: &ClientConfig) -> Vec<String> {
    let mut wrong = Vec::new();
    let has_secret = client.client_secret.is_some() || client.client_secret_file.is_some();
    let method = method(client);
    let grant_types = grant_types(client);
    let id_fits = |byte: u8| byte.is_ascii_graphic();
    if client.client_id.is_empty() || client.client_id.len() > 255 || !client.client_id.bytes().all(id_fits) {
        wrong.push("client_id must be 1 to 255 visible ASCII characters".to_owned());
    }
    // RFC 9068 §5: a client that acts as itself must not have a person's `sub`.
    if uuid::Uuid::parse_str(&client.client_id).is_ok() {
        wrong.push("client_id must not look like a user's id (a UUID)".to_owned());
    }
    if client.client_secret.is_some() && client.client_secret_file.is_some() {
        wrong.push("client_secret and client_secret_file exclude each other".to_owned());
    }
    if !METHODS.contains(&method) {
        wrong.push(format!("token_endpoint_auth_method must be one of {}", METHODS.join(", ")));
    } else if method.starts_with("client_secret") != has_secret {
        wrong.push(
            "a client has a secret unless its token_endpoint_auth_method is private_key_jwt or none"
                .to_owned(),
        );
    }
    let keys = [client.jwks.is_some(), client.jwks_file.is_some(), client.jwks_uri.is_some()];
    if keys.into_iter().filter(|given| *given).count() > 1 {
        wrong.push("jwks, jwks_file and jwks_uri exclude each other".to_owned());
    }
    if method == "private_key_jwt" && !has_keys(client) {
        wrong.push("a client that authenticates with private_key_jwt has jwks".to_owned());
    }
    if let Some(reason) = client.jwks.as_ref().and_then(client_assertion::refuse_registration) {
        wrong.push(format!("jwks {reason}"));
    }
    for (name, uri) in [
        ("jwks_uri", &client.jwks_uri),
        ("backchannel_logout_uri", &client.backchannel_logout_uri),
        ("initiate_login_uri", &client.initiate_login_uri),
    ] {
        if let Some(reason) = uri.as_deref().and_then(outbound::refuse_registration) {
            wrong.push(format!("{name} {reason}"));
        }
    }
    if client.client_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < 32) {
        wrong.push(
            "client_secret must have at least 32 characters; `latchkey client add` makes one".to_owned(),
        );
    }
    for grant_type in grant_types.0.iter().filter(|grant_type| !GRANT_TYPES.contains(&grant_type.as_str())) {
        wrong.push(format!(
            "grant_types holds {grant_type:?}, which is not one of {}",
            GRANT_TYPES.join(", ")
        ));
    }
    for grant_type in ["client_credentials", TOKEN_EXCHANGE] {
        if method == "none" && grant_types.has(grant_type) {
            wrong.push(format!("a public client cannot have the grant type {grant_type}"));
        }
    }
    if grant_types.has("authorization_code") && client.redirect_uris.is_empty() {
        wrong.push("redirect_uris is needed for authorization_code".to_owned());
    }
    for uri in client.redirect_uris.iter().chain(&client.post_logout_redirect_uris) {
        if let Some(reason) = redirect_uri::refuse_registration(uri) {
            wrong.push(format!("the redirect URI {uri:?} {reason}"));
        }
    }
    if client.scope.as_deref().is_some_and(|scope| scope::parse(scope).is_none()) {
        wrong.push("scope has characters that a scope may not".to_owned());
    }
    if let Some(audience) =
        client.audience.split_ascii_whitespace().find(|uri| !redirect_uri::is_resource_identifier(uri))
    {
        wrong.push(format!("audience holds {audience:?}, which is not an absolute URI"));
    }
    if profile(client) == Profile::Fapi2 {
        if method != "private_key_jwt" {
            wrong.push("a client of the profile fapi2 authenticates with private_key_jwt".to_owned());
        }
        if client.id_token_signed_response_alg == Some(Algorithm::RS256) {
            wrong.push("a client of the profile fapi2 cannot have RS256".to_owned());
        }
    }
    if client.require_signed_request_object && !has_keys(client) {
        wrong.push("require_signed_request_object needs jwks".to_owned());
    }
    if client.require_pkce == Some(false) && (method == "none" || profile(client) != Profile::Oidc) {
        wrong.push("only a confidential client of the profile oidc can do without PKCE".to_owned());
    }
    wrong
}

fn method(client: &ClientConfig) -> &str {
    let has_secret = client.client_secret.is_some() || client.client_secret_file.is_some();
    let default = match has_secret {
        true => "client_secret_basic",
        false if has_keys(client) => "private_key_jwt",
        false => "none",
    };
    client.token_endpoint_auth_method.as_deref().unwrap_or(default)
}

fn profile(client: &ClientConfig) -> Profile {
    let default = if method(client) == "none" { Profile::Oauth21 } else { Profile::Oidc };
    client.profile.unwrap_or(default)
}

fn has_keys(client: &ClientConfig) -> bool {
    client.jwks.is_some() || client.jwks_file.is_some() || client.jwks_uri.is_some()
}

/// The public keys as they are stored, from wherever the settings have them.
fn jwks(client: &ClientConfig) -> Result<Option<String>, Error> {
    let Some(path) = &client.jwks_file else { return Ok(client.jwks.as_ref().map(ToString::to_string)) };
    let text = std::fs::read_to_string(path).map_err(|error| Error::File(path.clone(), error))?;
    let invalid = |reason: &str| Error::Invalid(vec![format!("{} {reason}", path.display())]);
    let jwks = serde_json::from_str(&text).map_err(|_| invalid("is not JSON"))?;
    match client_assertion::refuse_registration(&jwks) {
        Some(reason) => Err(invalid(reason)),
        None => Ok(Some(jwks.to_string())),
    }
}

/// The secret, from wherever the settings have it.
fn secret(client: &ClientConfig) -> Result<Option<SecretString>, Error> {
    match (&client.client_secret, &client.client_secret_file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| Error::File(path.clone(), error))?;
            Ok(Some(text.trim_end().to_owned().into()))
        }
        (None, None) => Ok(None),
    }
}

fn grant_types(client: &ClientConfig) -> Words {
    let default = || vec!["authorization_code".to_owned(), "refresh_token".to_owned()];
    Words(client.grant_types.clone().unwrap_or_else(default))
}

/// Whether a client is to be registered for a grant type.
#[must_use]
pub fn has_grant_type(client: &ClientConfig, grant_type: &str) -> bool {
    grant_types(client).has(grant_type)
}

/// A client as it is stored.
pub(crate) fn client(config: &ClientConfig, declared: bool) -> Result<Client, Error> {
    let wrong = check(config);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let secret = secret(config)?;
    let method = method(config).to_owned();
    let profile = profile(config);
    let fapi2 = profile == Profile::Fapi2;
    let algorithm = if fapi2 { Algorithm::PS256 } else { Algorithm::RS256 };
    let scope = scope::parse(config.scope.as_deref().unwrap_or(DEFAULT_SCOPE));
    Ok(Client {
        id: ClientId(config.client_id.clone()),
        name: if config.name.is_empty() { config.client_id.clone() } else { config.name.clone() },
        jwks: jwks(config)?,
        jwks_uri: config.jwks_uri.clone(),
        profile,
        secret_hash: secret.map(|secret| SecretHash::of(secret.expose_secret())),
        redirect_uris: Words(config.redirect_uris.clone()),
        post_logout_redirect_uris: Words(config.post_logout_redirect_uris.clone()),
        backchannel_logout_uri: config.backchannel_logout_uri.clone(),
        initiate_login_uri: config.initiate_login_uri.clone(),
        backchannel_logout_session_required: config.backchannel_logout_session_required,
        grant_types: grant_types(config),
        scope: scope.map(|scope| scope::to_text(&scope)).unwrap_or_default(),
        audience: config.audience.clone(),
        id_token_signed_response_alg: config.id_token_signed_response_alg.unwrap_or(algorithm),
        first_party: config.first_party,
        require_pkce: config.require_pkce.unwrap_or(profile != Profile::Oidc),
        require_pushed_authorization_requests: config.require_pushed_authorization_requests || fapi2,
        require_signed_request_object: config.require_signed_request_object,
        dpop_bound_access_tokens: config.dpop_bound_access_tokens || fapi2,
        require_second_factor: config.require_second_factor,
        token_endpoint_auth_method: method,
        declared,
    })
}
