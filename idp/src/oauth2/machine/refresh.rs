//! The refresh of an access token, RFC 6749 §6.

use std::borrow::Cow;

use oxide_auth::code_grant::refresh;

use super::{NO_REDIRECT, TokenRequest, check_scope, grant, refusal};
use crate::{
    oauth2::{error::TokenError, parameters::Parameters, scope},
    store::{clients::Client, grants::Grant},
};

/// Judges a refresh: the grant, and the scope that the new access token gets, which is within it.
pub fn refresh(
    parameters: &Parameters,
    client: &Client,
    granted: Option<Grant>,
) -> Result<(Grant, String), TokenError> {
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
                let granted =
                    granted.as_ref().ok_or(TokenError::InvalidGrant("the refresh token is unknown"))?;
                let scope = scope::parse(&granted.scope).ok_or(TokenError::Machine)?;
                let grant = grant(&granted.client_id, NO_REDIRECT, scope)?;
                refresh::Input::Recovered { scope: parameters.cow("scope"), grant: Some(Box::new(grant)) }
            }
            refresh::Output::Refresh { grant, .. } => {
                return Ok((granted.ok_or(TokenError::Machine)?, scope::to_text(&grant.scope)));
            }
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
