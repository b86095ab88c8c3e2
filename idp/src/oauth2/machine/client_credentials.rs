//! A client that acts as itself, RFC 6749 §4.4.

use std::borrow::Cow;

use oxide_auth::{
    code_grant::client_credentials as credentials,
    primitives::{
        grant::Extensions,
        registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl},
    },
};

use super::{NO_REDIRECT, TokenRequest, check_scope, refusal};
use crate::{
    oauth2::{error::TokenError, parameters::Parameters, scope},
    store::clients::Client,
};

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
                if client.is_public() {
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
