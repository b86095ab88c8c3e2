//! Refreshing an Access Token, RFC 6749 §6, with rotation that can be repeated.
//!
//! The successor of a refresh token is derived from it, so a retry inside the grace window (a lost answer,
//! two tabs) gets the same one. A token that comes back later is a copy: the family ends (RFC 9700 §4.14).
//! Clients of the profile fapi2 keep theirs: nobody else can use it, and FAPI 2.0 §5.3.2.1 forbids to rotate it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::secret::{ExposeSecret, SecretHash, SecretString};

use super::{REFRESH_TOKEN, TokenResponse, narrow_audience, refresh_token_expires_at, store_refresh_token};
use crate::{
    App, audit,
    audit::{Event, Replayed},
    config,
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
        clients::{Client, Profile},
        grants,
        refresh_tokens::{self, Presented, Rotation},
        sessions,
    },
};

pub async fn grant(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    jkt: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    let moment = app.moment();
    let token = parameters.get("refresh_token").unwrap_or_default();
    let hash = SecretHash::of(token);
    let mut tx = app.db.write().await?;
    let found = refresh_tokens::find(&mut tx, &hash).await?;
    if let Some(found) = &found {
        refusals::user(found.grant.user_id);
        refusals::input("the token was good until", found.token_expires_at.format(refusals::MOMENT));
        if let Some(rotated_at) = found.rotated_at {
            refusals::input("the token was used first", rotated_at.format(refusals::MOMENT));
        }
    }
    let (grant, asked) = machine::refresh(parameters, client, found.map(|stored| stored.grant))?;

    let keeps = client.profile == Profile::Fapi2;
    let presented = Presented {
        token: &hash,
        client_id: &client.id,
        dpop_jkt: jkt,
        kept_until: keeps.then(|| refresh_token_expires_at(app, &grant)),
        grace_from: moment.now - config::seconds(app.config.tokens.refresh_token_grace),
    };
    match refresh_tokens::rotate(&mut tx, presented, moment).await? {
        Rotation::Granted => {}
        Rotation::Replayed => {
            if grants::revoke(&mut tx, grant.id, moment.now).await? {
                let event = Event::replayed(&grant, Replayed::RefreshToken);
                audit::record(app, &mut tx, Some(grant.user_id), event).await?;
            }
            // Commit before refusing, or `?` undoes it.
            tx.commit().await?;
            tracing::warn!(client.id = %client.id, grant.id = %grant.id, "a refresh token came back after its grace: the family {} is revoked", grant.id);
            return Err(TokenError::InvalidGrant("the refresh token was used before"));
        }
        Rotation::Refused => {
            return Err(TokenError::InvalidGrant(
                "the refresh token has expired, is another key's, or its user, client or session has ended",
            ));
        }
    }
    let audience = narrow_audience(parameters, &grant.audience)?;
    let next = if keeps {
        token.to_owned().into()
    } else {
        let successor = successor(app, token);
        store_refresh_token(app, &mut tx, &successor, client, &grant, jkt).await?;
        successor
    };
    if !grant.offline {
        // Whoever works in a client is not idle.
        sessions::touch(&mut tx, grant.session_id, moment.now).await?;
    }
    tx.commit().await?;

    let terms = Terms { client, grant: Some(&grant), scope: &asked, audience: &audience, jkt };
    let access_token = access_token::issue(app, &terms, moment.now)?;
    let id_token = if scope::has(&asked, "openid") {
        Some(id_token::issue(app, client, &grant, None, &access_token.token, moment.now).await?)
    } else {
        None
    };
    let refresh_token = Some(next.expose_secret().to_owned());
    Ok(TokenResponse { refresh_token, id_token, ..TokenResponse::of(access_token) })
}

fn successor(app: &App, token: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.refresh);
    format!("{REFRESH_TOKEN}{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, token.as_bytes()))).into()
}
