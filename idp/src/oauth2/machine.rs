//! Adapters to oxide-auth's state machines, RFC 6749 §4.1, §4.4 and §6.
//!
//! The machines decide what a request must hold and in which order it is judged. What they ask for (a
//! client, a code, a scope) was loaded before; what they allow, the conditional statements in `store/` make
//! true. Where oxide-auth's answer is not the RFC's, the difference is corrected here and says so.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use oxide_auth::{
    code_grant::{
        accesstoken as code, authorization, client_credentials as credentials, error::AccessTokenErrorType,
        error::AuthorizationErrorType, extensions::Pkce, refresh,
    },
    primitives::{
        grant::{Extensions, Grant},
        registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl},
        scope::Scope,
    },
};
use url::Url;

use super::{error::TokenError, parameters::Parameters, scope};
use crate::store::{ClientId, authorization_codes::AuthorizationCode, clients::Client};

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

fn pkce(required: bool) -> Pkce {
    if required { Pkce::required() } else { Pkce::optional() }
}

/// Judges a redemption against the code as it was stored; the statement that spends it has the last word.
pub fn redeem(
    parameters: &Parameters,
    client: &Client,
    stored: Option<&AuthorizationCode>,
) -> Result<(), TokenError> {
    let request = TokenRequest { parameters, client };
    let mut machine = code::AccessToken::new(&request);
    let mut input = code::Input::None;
    loop {
        input = match machine.advance(input) {
            code::Output::Authenticate { .. } => code::Input::Authenticated,
            code::Output::Recover { .. } => {
                // RFC 6749 §5.2 calls an unknown code `invalid_grant`; oxide-auth says `invalid_request`.
                let stored = stored.ok_or(TokenError::InvalidGrant("the code is unknown"))?;
                if parameters.get("redirect_uri") != Some(&stored.redirect_uri) {
                    return Err(TokenError::InvalidGrant(
                        "the redirect_uri is another than the code was sent to",
                    ));
                }
                let grant = grant(&stored.client_id, &stored.redirect_uri, no_scope()?)?;
                code::Input::Recovered(Some(Box::new(grant)))
            }
            code::Output::Extend { .. } => {
                verify(
                    parameters,
                    stored.and_then(|stored| stored.code_challenge.as_deref()),
                    client.require_pkce,
                )?;
                code::Input::Extended { access_extensions: Extensions::new() }
            }
            code::Output::Issue { .. } => return Ok(()),
            code::Output::Ok(_) => return Err(TokenError::Machine),
            code::Output::Err(error) => {
                return Err(match *error {
                    code::Error::Invalid(mut error) => refusal(error.description().kind()),
                    code::Error::Unauthorized(..) => {
                        TokenError::InvalidClient("oxide-auth does not know the client")
                    }
                    code::Error::Primitive(_) => TokenError::Machine,
                });
            }
        };
    }
}

/// RFC 7636 §4.6: challenge and verifier go together or fail.
fn verify(parameters: &Parameters, challenge: Option<&str>, required: bool) -> Result<(), TokenError> {
    let verifier = parameters.get("code_verifier");
    // RFC 9700 §4.8.2: oxide-auth would ignore a verifier that nothing was promised for.
    if challenge.is_none() && verifier.is_some() {
        return Err(TokenError::InvalidGrant("code_verifier came without code_challenge"));
    }
    let well_formed = |text: &str| {
        (43..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if !verifier.is_none_or(well_formed) {
        return Err(TokenError::InvalidGrant("code_verifier is not 43 to 128 unreserved characters"));
    }
    let pkce = pkce(required || challenge.is_some());
    let promised = pkce
        .challenge(challenge.map(|_| Cow::Borrowed("S256")), challenge.map(Cow::Borrowed))
        .map_err(|()| TokenError::InvalidGrant("the code was given without PKCE"))?;
    // oxide-auth's own extension step calls this `invalid_request`.
    pkce.verify(promised, verifier.map(Cow::Borrowed))
        .map_err(|()| TokenError::InvalidGrant("code_verifier does not match code_challenge"))
}

/// Judges a refresh: the scope that the new access token gets, which is within `granted`.
pub fn refresh(
    parameters: &Parameters,
    client: &Client,
    granted: Option<(&ClientId, &str)>,
) -> Result<String, TokenError> {
    check_scope(parameters)?;
    let request = TokenRequest { parameters, client };
    let mut machine = refresh::Refresh::new(&request);
    let mut input = refresh::Input::None;
    loop {
        input = match machine.advance(input) {
            refresh::Output::Unauthenticated { .. } => {
                refresh::Input::Authenticated { scope: parameters.cow("scope") }
            }
            refresh::Output::RecoverRefresh { .. } => {
                let (owner, granted) =
                    granted.ok_or(TokenError::InvalidGrant("the refresh token is unknown"))?;
                let granted = scope::parse(granted).ok_or(TokenError::Machine)?;
                let grant = grant(owner, NO_REDIRECT, granted)?;
                refresh::Input::Recovered { scope: parameters.cow("scope"), grant: Some(Box::new(grant)) }
            }
            refresh::Output::Refresh { grant, .. } => return Ok(scope::to_text(&grant.scope)),
            refresh::Output::Ok(_) => return Err(TokenError::Machine),
            refresh::Output::Err(error) => {
                return Err(match error {
                    refresh::Error::Invalid(mut error) => refusal(error.description().kind()),
                    refresh::Error::Unauthorized(..) => {
                        TokenError::InvalidGrant("the refresh token is another client's")
                    }
                    refresh::Error::Primitive => TokenError::Machine,
                });
            }
        };
    }
}

/// Judges a client that acts as itself: the scope of its token.
pub fn client_credentials(parameters: &Parameters, client: &Client) -> Result<String, TokenError> {
    check_scope(parameters)?;
    let request = TokenRequest { parameters, client };
    let mut machine = credentials::ClientCredentials::new(&request);
    let mut input = credentials::Input::None;
    loop {
        input = match machine.advance(input) {
            credentials::Output::Authenticate { .. } => {
                // RFC 6749 §4.4: only for confidential clients.
                if client.secret_hash.is_none() {
                    return Err(TokenError::UnauthorizedClient("a public client cannot act as itself"));
                }
                credentials::Input::Authenticated
            }
            credentials::Output::Binding { client_id } => {
                let uri = ExactUrl::new(NO_REDIRECT.to_owned()).map_err(|_| TokenError::Machine)?;
                let bound_client = BoundClient {
                    client_id: Cow::Owned(client_id.to_owned()),
                    redirect_uri: Cow::Owned(RegisteredUrl::Exact(uri)),
                };
                credentials::Input::Bound { bound_client }
            }
            credentials::Output::Extend => credentials::Input::Extended { extensions: Extensions::new() },
            credentials::Output::Negotiate { bound_client, scope: asked } => {
                let allowed = scope::parse(&client.scope).and_then(|all| scope::for_machines(&all));
                let allowed =
                    allowed.ok_or(TokenError::InvalidScope("this client has no scope of its own"))?;
                let asked = asked.unwrap_or_else(|| allowed.clone());
                if !allowed.priviledged_to(&asked) || asked.iter().next().is_none() {
                    return Err(TokenError::InvalidScope("more than this client may ask for"));
                }
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: asked,
                };
                credentials::Input::Negotiated { pre_grant }
            }
            credentials::Output::Ok { pre_grant, .. } => return Ok(scope::to_text(&pre_grant.scope)),
            credentials::Output::Err(error) => {
                return Err(match *error {
                    credentials::Error::Invalid(mut error) => refusal(error.description().kind()),
                    credentials::Error::Unauthorized(..) => {
                        TokenError::InvalidClient("oxide-auth does not know the client")
                    }
                    _ => TokenError::Machine,
                });
            }
        };
    }
}

/// RFC 6749 §5.2 calls a malformed scope `invalid_scope`; oxide-auth says `invalid_request`.
fn check_scope(parameters: &Parameters) -> Result<(), TokenError> {
    let well_formed = parameters.get("scope").is_none_or(|text| scope::parse(text).is_some());
    if well_formed { Ok(()) } else { Err(TokenError::InvalidScope("scope has characters that it may not")) }
}

/// A code's scope is the grant's: the machine does not judge it.
fn no_scope() -> Result<Scope, TokenError> {
    scope::parse("").ok_or(TokenError::Machine)
}

/// oxide-auth wants a URI where none is followed.
const NO_REDIRECT: &str = "urn:latchkey:no-redirect";

/// A grant as oxide-auth knows one. It reads the system's clock, so this one never expires: the `WHERE` of
/// the statement that spends decides that, by ours.
fn grant(client_id: &ClientId, redirect_uri: &str, scope: Scope) -> Result<Grant, TokenError> {
    Ok(Grant {
        owner_id: String::new(),
        client_id: client_id.0.clone(),
        scope,
        redirect_uri: Url::parse(redirect_uri).map_err(|_| TokenError::Machine)?,
        until: DateTime::<Utc>::MAX_UTC,
        extensions: Extensions::new(),
    })
}

fn refusal(kind: AccessTokenErrorType) -> TokenError {
    match kind {
        AccessTokenErrorType::InvalidGrant => TokenError::InvalidGrant("the grant is another client's"),
        AccessTokenErrorType::InvalidScope => {
            TokenError::InvalidScope("scope is malformed or more than was granted")
        }
        AccessTokenErrorType::InvalidClient => {
            TokenError::InvalidClient("oxide-auth does not know the client")
        }
        AccessTokenErrorType::UnsupportedGrantType => TokenError::UnsupportedGrantType,
        AccessTokenErrorType::UnauthorizedClient => TokenError::UnauthorizedClient("not for this client"),
        _ => TokenError::InvalidRequest("a parameter is missing, malformed or sent twice"),
    }
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

/// A token request of a client that has proved who it is: the machines see the result only.
struct TokenRequest<'a> {
    parameters: &'a Parameters,
    client: &'a Client,
}

impl code::Request for TokenRequest<'_> {
    fn valid(&self) -> bool {
        !self.parameters.malformed()
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("code")
    }
    fn authorization(&self) -> code::Authorization<'_> {
        code::Authorization::Username(Cow::Borrowed(&self.client.id.0))
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("redirect_uri")
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("grant_type")
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

impl refresh::Request for TokenRequest<'_> {
    fn valid(&self) -> bool {
        !self.parameters.malformed()
    }
    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("refresh_token")
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("scope")
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("grant_type")
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((Cow::Borrowed(&self.client.id.0), Cow::Borrowed(b"")))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

impl credentials::Request for TokenRequest<'_> {
    fn valid(&self) -> bool {
        !self.parameters.malformed()
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((Cow::Borrowed(&self.client.id.0), Cow::Borrowed(b"")))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("scope")
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        self.parameters.cow("grant_type")
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
