//! The redemption of a code, RFC 6749 §4.1.3, with PKCE (RFC 7636).

use std::borrow::Cow;

use oxide_auth::{
    code_grant::accesstoken as code,
    primitives::{grant::Extensions, scope::Scope},
};

use super::{TokenRequest, grant, pkce, refusal};
use crate::{
    oauth2::{error::TokenError, parameters::Parameters, scope},
    store::{authorization_codes::Stored, clients::Client},
};

/// Judges a redemption against the code as it was stored; the statement that spends it has the last word.
pub fn redeem(
    parameters: &Parameters,
    client: &Client,
    stored: Option<Stored>,
) -> Result<Stored, TokenError> {
    let request = TokenRequest { parameters, client };
    let mut machine = code::AccessToken::new(&request);
    let mut input = code::Input::None;
    loop {
        input = match machine.advance(input) {
            code::Output::Authenticate { .. } => code::Input::Authenticated,
            code::Output::Recover { .. } => {
                // RFC 6749 §5.2 calls an unknown code `invalid_grant`; oxide-auth says `invalid_request`.
                let stored = stored.as_ref().ok_or(TokenError::InvalidGrant("the code is unknown"))?;
                if parameters.get("redirect_uri") != Some(&stored.redirect_uri) {
                    return Err(TokenError::InvalidGrant(
                        "the redirect_uri is another than the code was sent to",
                    ));
                }
                let grant = grant(&stored.grant.client_id, &stored.redirect_uri, no_scope()?)?;
                code::Input::Recovered(Some(Box::new(grant)))
            }
            code::Output::Extend { .. } => {
                verify(
                    parameters,
                    stored.as_ref().and_then(|stored| stored.code_challenge.as_deref()),
                    client.require_pkce,
                )?;
                code::Input::Extended { access_extensions: Extensions::new() }
            }
            code::Output::Issue { .. } => return stored.ok_or(TokenError::Machine),
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

/// A code's scope is the grant's: the machine does not judge it.
fn no_scope() -> Result<Scope, TokenError> {
    scope::parse("").ok_or(TokenError::Machine)
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
