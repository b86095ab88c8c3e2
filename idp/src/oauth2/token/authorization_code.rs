//! Authorization Code Grant, RFC 6749 §4.1.3, with PKCE (RFC 7636).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{ExposeSecret, SecretHash};
use sha2::{Digest, Sha256};

use super::{TokenResponse, may_refresh, narrow_audience, new_refresh_token, store_refresh_token};
use crate::{
    App, audit,
    audit::{Event, Replayed},
    oauth2::{
        access_token::{self, Terms},
        error::TokenError,
        machine,
        parameters::Parameters,
        scope,
    },
    oidc::id_token,
    refusals,
    store::{
        Tx,
        authorization_codes::{self, Presented, Redemption, Stored},
        clients::Client,
        grants::{self, Grant, Moment},
    },
};

pub async fn grant(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    jkt: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    let moment = app.moment();
    let hash = SecretHash::of(parameters.get("code").unwrap_or_default());
    // Looked up by the transaction that spends it: one wait for the writer, not two connections.
    let mut tx = app.db.write().await?;
    let found = authorization_codes::find(&mut tx, &hash).await?;
    if let Some(found) = &found {
        refusals::user(found.grant.user_id);
        refusals::input("the code was sent to", &found.redirect_uri);
        refusals::input("the code was good until", found.code_expires_at.format(refusals::MOMENT));
    }
    let Stored { grant, nonce, .. } = machine::redeem(parameters, client, found)?;

    let code_challenge = parameters.get("code_verifier").map(code_challenge);
    let presented = Presented {
        code: &hash,
        client_id: &client.id,
        redirect_uri: parameters.get("redirect_uri").unwrap_or_default(),
        code_challenge: code_challenge.as_deref(),
        dpop_jkt: jkt,
    };
    match authorization_codes::redeem(&mut tx, presented, moment).await? {
        Redemption::Granted => {}
        Redemption::Replayed => {
            // §4.1.2: revoke what the code yielded. Commit before refusing, or `?` undoes it.
            if grants::revoke(&mut tx, grant.id, moment.now).await? {
                let event = Event::replayed(&grant, Replayed::Code);
                audit::record(app, &mut tx, Some(grant.user_id), event).await?;
            }
            tx.commit().await?;
            tracing::warn!(client.id = %client.id, user.id = %grant.user_id, grant.id = %grant.id, "a code came back after it was redeemed: the grant {} is revoked", grant.id);
            return Err(TokenError::InvalidGrant("the code was already redeemed"));
        }
        Redemption::Refused => {
            return Err(TokenError::InvalidGrant(
                "the code has expired, is another key's, or its user, client or session has ended",
            ));
        }
    }
    first_tokens(app, parameters, client, Redeemed { grant, nonce, jkt }, tx, moment).await
}

/// A grant whose code was spent, in the transaction that goes with it.
pub(super) struct Redeemed<'a> {
    pub grant: Grant,
    /// Of the request that it came from.
    pub nonce: Option<String>,
    /// The key that the client has proved to hold.
    pub jkt: Option<&'a str>,
}

/// What a grant yields first.
pub(super) async fn first_tokens(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    redeemed: Redeemed<'_>,
    mut tx: Tx,
    moment: Moment,
) -> Result<TokenResponse, TokenError> {
    let Redeemed { grant, nonce, jkt } = redeemed;
    let audience = narrow_audience(parameters, &grant.audience)?;
    let refresh_token = may_refresh(client, &grant.scope).then(new_refresh_token);
    if let Some(token) = &refresh_token {
        store_refresh_token(app, &mut tx, token, client, &grant, jkt).await?;
    }
    tx.commit().await?;

    let terms = Terms { client, grant: Some(&grant), scope: &grant.scope, audience: &audience, jkt };
    let access_token = access_token::issue(app, &terms, moment.now)?;
    let id_token = if scope::has(&grant.scope, "openid") {
        Some(id_token::issue(app, client, &grant, nonce, &access_token.token, moment.now).await?)
    } else {
        None
    };
    let refresh_token = refresh_token.map(|token| token.expose_secret().to_owned());
    Ok(TokenResponse { refresh_token, id_token, ..TokenResponse::of(access_token) })
}

/// S256, RFC 7636 §4.6.
fn code_challenge(code_verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier))
}
