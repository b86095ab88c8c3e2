//! Device Access Token Request, RFC 8628 §3.4 and §3.5.

use chrono::TimeDelta;
use platform::secret::SecretHash;

use super::{
    TokenResponse,
    authorization_code::{Redeemed, first_tokens},
};
use crate::{
    App,
    oauth2::{error::TokenError, parameters::Parameters},
    store::{
        clients::Client,
        device_authorizations::{self, Poll},
        grants,
    },
};

/// By how much the interval grows for who polls too soon (§3.5).
const SLOWER: TimeDelta = TimeDelta::seconds(5);

pub async fn grant(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    jkt: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    const REFUSED: TokenError = TokenError::InvalidGrant(
        "the device code is unknown or used, or its user, client or session has ended",
    );
    let code = parameters.get("device_code").ok_or(TokenError::InvalidRequest("device_code is missing"))?;
    let moment = app.moment();
    let mut tx = app.db.write().await?;
    let poll =
        device_authorizations::poll(&mut tx, &SecretHash::of(code), &client.id, SLOWER, moment).await?;
    if let Poll::Granted(id) = poll {
        let grant = grants::find_live(&mut tx, id, moment).await?.ok_or(REFUSED)?;
        return first_tokens(app, parameters, client, Redeemed { grant, nonce: None, jkt }, tx, moment).await;
    }
    // Commit before refusing, or `?` undoes what was noted of this poll.
    tx.commit().await?;
    Err(match poll {
        Poll::Pending => TokenError::AuthorizationPending,
        Poll::TooSoon => TokenError::SlowDown,
        Poll::Denied => TokenError::AccessDenied,
        Poll::Expired => TokenError::ExpiredToken,
        Poll::Granted(_) | Poll::Refused => REFUSED,
    })
}
