//! The authorization request, RFC 6749 §4.1.1, with PKCE (RFC 7636).

use std::borrow::Cow;

use oxide_auth::{
    code_grant::{authorization, error::AuthorizationErrorType},
    primitives::{
        grant::Extensions,
        registrar::{BoundClient, PreGrant, RegisteredUrl},
    },
};

use super::pkce;
use crate::{
    oauth2::{parameters::Parameters, scope},
    store::clients::Client,
};

/// What an authorization request asks for, once it is well-formed.
#[derive(Debug)]
pub struct Negotiated {
    /// Sorted, space-separated; never empty.
    pub scope: String,
    /// S256.
    pub code_challenge: Option<String>,
}

/// Why an authorization request is refused: an error code of RFC 6749 §4.1.2.1, and the rule for the log.
pub type AuthorizationRefusal = (&'static str, &'static str);

/// Judges an authorization request whose client and redirect URI have been found good.
pub fn authorize(parameters: &Parameters, client: &Client) -> Result<Negotiated, AuthorizationRefusal> {
    const MISUSED: AuthorizationRefusal = ("server_error", "the state machine was misused");
    let mut machine = authorization::Authorization::new(parameters);
    let mut input = authorization::Input::None;
    let mut code_challenge = None;
    loop {
        input = match machine.advance(input) {
            authorization::Output::Bind { client_id, redirect_uri } => {
                let uri = redirect_uri.ok_or(("invalid_request", "redirect_uri is missing"))?;
                let bound_client = BoundClient {
                    client_id: Cow::Owned(client_id),
                    redirect_uri: Cow::Owned(RegisteredUrl::Exact(uri)),
                };
                authorization::Input::Bound { request: parameters, bound_client }
            }
            authorization::Output::Extend => {
                code_challenge = challenge(parameters, client.require_pkce)?;
                authorization::Input::Extended(Extensions::new())
            }
            authorization::Output::Negotiate { bound_client, scope: asked } => {
                // OpenID Connect Core §3.1.2.1: scopes that are not understood are ignored.
                let asked = asked.or_else(|| scope::parse(&client.scope));
                let scope = asked.and_then(|asked| scope::intersection(&asked, &client.scope));
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: scope
                        .ok_or(("invalid_scope", "none of the scopes may be asked for by this client"))?,
                };
                authorization::Input::Negotiated { pre_grant, state: None }
            }
            authorization::Output::Ok { pre_grant, .. } => {
                return Ok(Negotiated { scope: scope::to_text(&pre_grant.scope), code_challenge });
            }
            authorization::Output::Err(authorization::Error::Redirect(mut error)) => {
                return Err(match error.description().kind() {
                    // oxide-auth does not tell one that is missing from one that is not known.
                    AuthorizationErrorType::UnsupportedResponseType
                        if parameters.get("response_type").is_none() =>
                    {
                        ("invalid_request", "response_type is missing")
                    }
                    AuthorizationErrorType::UnsupportedResponseType => {
                        ("unsupported_response_type", "response_type is not code")
                    }
                    AuthorizationErrorType::InvalidScope => ("invalid_scope", "scope is malformed"),
                    _ => ("invalid_request", "a parameter is missing or malformed"),
                });
            }
            authorization::Output::Err(authorization::Error::Ignore) => {
                return Err(("invalid_request", "a parameter is malformed or sent twice"));
            }
            authorization::Output::Err(authorization::Error::PrimitiveError) => return Err(MISUSED),
        };
    }
}

/// The S256 challenge of a request (RFC 7636 §4.3). `plain` is not taken; neither is half of a pair.
fn challenge(parameters: &Parameters, required: bool) -> Result<Option<String>, AuthorizationRefusal> {
    let challenge = parameters.get("code_challenge");
    let method = parameters.cow("code_challenge_method");
    if challenge.is_none() && method.is_some() {
        return Err(("invalid_request", "code_challenge_method came without code_challenge"));
    }
    // oxide-auth looks at neither length nor alphabet.
    let well_formed = |text: &str| {
        text.len() == 43
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if !challenge.is_none_or(well_formed) {
        return Err(("invalid_request", "code_challenge is not 43 base64url characters"));
    }
    pkce(required)
        .challenge(method, challenge.map(Cow::Borrowed))
        .map_err(|()| ("invalid_request", "PKCE with S256 is required"))?;
    Ok(challenge.map(str::to_owned))
}

impl authorization::Request for Parameters {
    fn valid(&self) -> bool {
        !self.malformed()
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        self.cow("client_id")
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.cow("scope")
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        self.cow("redirect_uri")
    }
    fn state(&self) -> Option<Cow<'_, str>> {
        self.cow("state")
    }
    fn response_type(&self) -> Option<Cow<'_, str>> {
        self.cow("response_type")
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        self.cow(key)
    }
}
