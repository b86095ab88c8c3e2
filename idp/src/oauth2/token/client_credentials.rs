//! Client Credentials Grant, RFC 6749 §4.4: a client acts as itself. Touches no database.

use super::TokenResponse;
use crate::{
    App,
    oauth2::{
        access_token::{self, Terms},
        authorize,
        error::TokenError,
        machine,
        parameters::Parameters,
    },
    store::clients::Client,
};

pub fn grant(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    jkt: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    let scope = machine::client_credentials(parameters, client)?;
    let audience =
        authorize::audience(app, parameters, client).map_err(|(_, rule)| TokenError::InvalidTarget(rule))?;
    let terms = Terms { client, grant: None, scope: &scope, audience: &audience, jkt };
    let access_token = access_token::issue(app, &terms, app.clock.now())?;
    Ok(TokenResponse::of(access_token))
}
