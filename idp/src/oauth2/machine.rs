//! Adapters to oxide-auth's state machines, RFC 6749 §4.1, §4.4 and §6.
//!
//! The machines decide what a request must hold and in which order it is judged. What they ask for (a
//! client, a code, a scope) was loaded before; what they allow, the conditional statements in `store/` make
//! true. Where oxide-auth's answer is not the RFC's, the difference is corrected here and says so.

mod authorization;
mod client_credentials;
mod code;
mod refresh;

use chrono::{DateTime, Utc};
use oxide_auth::{
    code_grant::{error::AccessTokenErrorType, extensions::Pkce},
    primitives::{
        grant::{Extensions, Grant},
        scope::Scope,
    },
};
use url::Url;

use super::{error::TokenError, parameters::Parameters, scope};
use crate::store::{ClientId, clients::Client};

pub use authorization::{AuthorizationRefusal, authorize};
pub use client_credentials::client_credentials;
pub use code::redeem;
pub use refresh::refresh;

/// A token request of a client that has proved who it is: the machines see the result only.
struct TokenRequest<'a> {
    parameters: &'a Parameters,
    client: &'a Client,
}

fn pkce(required: bool) -> Pkce {
    if required { Pkce::required() } else { Pkce::optional() }
}

/// RFC 6749 §5.2 calls a malformed scope `invalid_scope`; oxide-auth says `invalid_request`.
fn check_scope(parameters: &Parameters) -> Result<(), TokenError> {
    let well_formed = parameters.get("scope").is_none_or(|text| scope::parse(text).is_some());
    if well_formed { Ok(()) } else { Err(TokenError::InvalidScope("scope has characters that it may not")) }
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
