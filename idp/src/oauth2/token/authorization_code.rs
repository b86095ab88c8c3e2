//! Authorization Code Grant, RFC 6749 §4.1.3, with PKCE (RFC 7636).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{ExposeSecret, SecretHash};
use sha2::{Digest, Sha256};

use super::{TokenResponse, may_refresh, narrow_audience, new_refresh_token, store_refresh_token};
use crate::{
    App,
    oauth2::{
        access_token::{self, Subject},
        error::TokenError,
        machine,
        parameters::Parameters,
        scope,
    },
    oidc::id_token,
    store::{
        authorization_codes::{self, Presented, Redemption},
        clients::Client,
        grants,
    },
};

pub async fn grant(app: &App, parameters: &Parameters, client: &Client) -> Result<TokenResponse, TokenError> {
    let moment = app.moment();
    let hash = SecretHash::of(parameters.get("code").unwrap_or_default());
    // Looked up by the transaction that spends it: one wait for the writer, not two connections.
    let mut tx = app.db.write().await?;
    let stored = authorization_codes::find(&mut tx, &hash).await?;
    machine::redeem(parameters, client, stored.as_ref())?;

    let code_challenge = parameters.get("code_verifier").map(code_challenge);
    let presented = Presented {
        code: &hash,
        client_id: &client.id,
        redirect_uri: parameters.get("redirect_uri").unwrap_or_default(),
        code_challenge: code_challenge.as_deref(),
    };
    let grant = match authorization_codes::redeem(&mut tx, presented, moment).await? {
        Redemption::Granted(grant) => grant,
        Redemption::Replayed(grant_id) => {
            // §4.1.2: revoke what the code yielded. Commit before refusing, or `?` undoes it.
            grants::revoke(&mut tx, grant_id, moment.now).await?;
            tx.commit().await?;
            return Err(TokenError::InvalidGrant("the code was already redeemed"));
        }
        Redemption::Refused => {
            return Err(TokenError::InvalidGrant(
                "the code has expired, or its user, client or session has ended",
            ));
        }
    };
    let audience = narrow_audience(parameters, &grant.audience)?;
    let refresh_token = may_refresh(client, &grant.scope).then(new_refresh_token);
    if let Some(token) = &refresh_token {
        store_refresh_token(app, &mut tx, token, &grant).await?;
    }
    tx.commit().await?;

    let access_token =
        access_token::issue(app, &Subject::Grant(&grant), &grant.scope, &audience, moment.now)?;
    let id_token = if scope::has(&grant.scope, "openid") {
        let nonce = stored.and_then(|stored| stored.nonce);
        Some(id_token::issue(app, &grant, nonce, &access_token, moment.now)?)
    } else {
        None
    };
    let refresh_token = refresh_token.map(|token| token.expose_secret().to_owned());
    Ok(TokenResponse { refresh_token, id_token, ..TokenResponse::bearer(app, access_token, grant.scope) })
}

/// S256, RFC 7636 §4.6.
fn code_challenge(code_verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier))
}
