//! Client metadata: RFC 7591 §2, and the specifications that add to it. What is not here is ignored, as §2 says,
//! unless an app would then take for encrypted or signed what is not.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{redirect_uri, scope},
    Purpose,
    error::RegistrationError,
};
use crate::{Config, config::ClientConfig, keys::Algorithm, outbound, store::clients::Client};

/// Characters of what people or operators are shown.
const LONGEST: usize = 100;
/// Without these, answers would be something else than was registered.
const NOT_IGNORED: [&str; 5] = [
    "id_token_encrypted_response_alg",
    "userinfo_encrypted_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "tls_client_certificate_bound_access_tokens",
];
/// RFC 7592 §2.2: not in a request.
const OURS: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Metadata {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    /// Never fetched, never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
    /// RP-Initiated Logout 1.0 §3.1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_logout_redirect_uris: Vec<String>,
    /// Back-Channel Logout 1.0 §2.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
    backchannel_logout_session_required: bool,
    /// OpenID Connect Dynamic Client Registration 1.0 §2, as the next three.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token_signed_response_alg: Option<Algorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiate_login_uri: Option<String>,
    /// RFC 9126 §6.
    require_pushed_authorization_requests: bool,
    /// RFC 9101 §10.5.
    require_signed_request_object: bool,
    /// RFC 9449 §5.2.
    dpop_bound_access_tokens: bool,
}

fn wrong(reason: impl Into<String>) -> RegistrationError {
    RegistrationError::Metadata(reason.into())
}

impl Metadata {
    /// Reads what was sent.
    pub fn read(mut sent: Map<String, Value>) -> Result<Self, RegistrationError> {
        // §2: as if it was left out.
        sent.retain(|_, value| !value.is_null());
        if let Some(name) = NOT_IGNORED.iter().find(|name| sent.contains_key(**name)) {
            return Err(wrong(format!("{name} is not supported")));
        }
        if let Some(name) = OURS.iter().find(|name| sent.contains_key(**name)) {
            return Err(wrong(format!("{name} is not the client's to say")));
        }
        serde_json::from_value(sent.into()).map_err(|_| wrong("a member has a value of the wrong type"))
    }

    /// Checks what the configuration of a client does not have, and fills in what was left out.
    pub fn complete(&mut self, config: &Config, purpose: Purpose) -> Result<(), RegistrationError> {
        let grant_types = self.grant_types.get_or_insert_with(|| vec!["authorization_code".to_owned()]);
        let codes = grant_types.iter().any(|grant_type| grant_type == "authorization_code");
        if purpose == Purpose::People
            && grant_types.iter().any(|grant_type| grant_type == "client_credentials")
        {
            return Err(wrong("without an operator's token a client acts for people only"));
        }
        let expected = if codes { vec!["code".to_owned()] } else { Vec::new() };
        if *self.response_types.get_or_insert_with(|| expected.clone()) != expected {
            return Err(wrong("response_types has to be code with authorization_code, and empty without"));
        }
        if codes && self.redirect_uris.is_empty() {
            return Err(RegistrationError::RedirectUri("redirect_uris is missing".to_owned()));
        }
        for uri in &self.redirect_uris {
            if let Some(reason) = redirect_uri::refuse_registration(uri) {
                return Err(RegistrationError::RedirectUri(format!("{uri:?} {reason}")));
            }
        }
        self.token_endpoint_auth_method.get_or_insert_with(|| "client_secret_basic".to_owned());
        match self.application_type.get_or_insert_with(|| "web".to_owned()).as_str() {
            "web" | "native" => {}
            _ => return Err(wrong("application_type is neither web nor native")),
        }
        if self.subject_type.get_or_insert_with(|| "public".to_owned()) != "public" {
            return Err(wrong("subject_type can only be public"));
        }
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
        ] {
            if let Some(reason) = uri.as_deref().and_then(outbound::refuse_registration) {
                return Err(wrong(format!("{name} {reason}")));
            }
        }
        let shown = [&self.client_name, &self.software_id, &self.software_version];
        let mut shown = shown.into_iter().flatten().chain(&self.contacts);
        if !shown.all(|text| is_plain(text)) {
            return Err(wrong(format!(
                "names and contacts have 1 to {LONGEST} characters, none of which is invisible"
            )));
        }
        self.scope = Some(allowed_scope(config, self.scope.as_deref())?);
        Ok(())
    }

    /// As operators would write it.
    pub fn configured(&self, config: &Config, client_id: &str) -> ClientConfig {
        ClientConfig {
            client_id: client_id.to_owned(),
            name: self.client_name.clone().unwrap_or_default(),
            jwks: self.jwks.clone(),
            jwks_uri: self.jwks_uri.clone(),
            token_endpoint_auth_method: self.token_endpoint_auth_method.clone(),
            profile: config.registration_profile,
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            initiate_login_uri: self.initiate_login_uri.clone(),
            grant_types: self.grant_types.clone(),
            scope: self.scope.clone(),
            id_token_signed_response_alg: self.id_token_signed_response_alg,
            require_pushed_authorization_requests: self.require_pushed_authorization_requests,
            require_signed_request_object: self.require_signed_request_object,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            // Nobody makes themselves first-party, or somebody else's audience.
            ..ClientConfig::default()
        }
    }

    /// §3.2.1: as it is held to, which may be more than it asked for.
    #[must_use]
    pub fn registered(mut self, client: &Client) -> Self {
        self.id_token_signed_response_alg = Some(client.id_token_signed_response_alg);
        self.require_pushed_authorization_requests = client.require_pushed_authorization_requests;
        self.require_signed_request_object = client.require_signed_request_object;
        self.dpop_bound_access_tokens = client.dpop_bound_access_tokens;
        self.scope = Some(client.scope.clone());
        self
    }

    pub fn has_secret(&self) -> bool {
        self.token_endpoint_auth_method.as_deref().is_none_or(|method| method.starts_with("client_secret"))
    }
}

/// What was asked for, as far as there is such a scope (§2: the server may replace what it does not give).
fn allowed_scope(config: &Config, asked: Option<&str>) -> Result<String, RegistrationError> {
    let resources = config.resources.iter().flat_map(|resource| resource.scopes.iter().map(String::as_str));
    let known: Vec<&str> = scope::OPENID.into_iter().chain(resources).collect();
    let asked = scope::parse(asked.unwrap_or("openid profile email"));
    let allowed = asked.and_then(|asked| scope::intersection(&asked, &known.join(" ")));
    let allowed = allowed.ok_or_else(|| wrong("scope holds nothing that can be asked for here"))?;
    Ok(scope::to_text(&allowed))
}

/// Nothing that hides, or turns around what stands beside it.
fn is_plain(text: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(hidden)
}
