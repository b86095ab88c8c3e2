//! Token Exchange, RFC 8693: a service that was called in somebody's name calls another one in that name.
//! Delegation only: who acts for whom stays to be seen (`act`).

use super::TokenResponse;
use crate::{
    App,
    config::TokenExchange,
    oauth2::{
        access_token::{self, Actor, Claims, Live, Terms},
        error::{BearerError, TokenError},
        parameters::Parameters,
        scope,
    },
    store::{Conn, clients::Client},
};

/// §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// How many may act one for the other.
const LONGEST_CHAIN: usize = 4;

pub async fn grant(
    app: &App,
    parameters: &Parameters,
    client: &Client,
    jkt: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    let own: Vec<&TokenExchange> =
        app.config.token_exchange.iter().filter(|rule| rule.client == client.id.0).collect();
    if client.is_public() || own.is_empty() {
        return Err(TokenError::UnauthorizedClient("no rule lets the client exchange tokens"));
    }
    let issued_token_type = issued_token_type(parameters)?;
    let mut conn = app.db.read().await?;
    let subject = token(app, &mut conn, parameters, "subject_token", "subject_token_type").await?;
    let actor = token(app, &mut conn, parameters, "actor_token", "actor_token_type").await?;
    drop(conn);
    let subject = subject.ok_or(TokenError::InvalidRequest("subject_token is missing"))?;
    let Live { claims: subject, grant: Some(grant) } = subject else {
        return Err(TokenError::InvalidRequest("subject_token is no person's"));
    };
    let rules: Vec<&TokenExchange> = own.into_iter().filter(|rule| accepts(rule, &subject)).collect();
    if rules.is_empty() {
        return Err(TokenError::InvalidRequest(
            "no rule lets the client exchange this client's tokens for this",
        ));
    }
    let scope = narrow_scope(parameters, client, &subject)?;
    let audience = target(parameters, &rules)?;
    let act = Actor { sub: acting(client, actor)?, act: subject.act.map(Box::new) };
    if act.chain() > LONGEST_CHAIN {
        return Err(TokenError::InvalidRequest("too many act one for the other"));
    }

    let terms = Terms { client, grant: Some(&grant), scope: &scope, audience: &audience, jkt };
    let access_token = access_token::exchange(app, &terms, act, subject.exp, app.clock.now())?;
    tracing::info!(client.id = %client.id, user.id = %grant.user_id, grant.id = %grant.id, audience, "{} exchanged a token of {} and acts for {}", client.id, subject.client_id, grant.user_id);
    Ok(TokenResponse { issued_token_type: Some(issued_token_type), ..TokenResponse::of(access_token) })
}

/// Our access tokens are both.
fn issued_token_type(parameters: &Parameters) -> Result<&'static str, TokenError> {
    match parameters.get("requested_token_type") {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) => Ok(JWT),
        Some(_) => Err(TokenError::InvalidRequest("requested_token_type is not one that we give out")),
    }
}

/// A token of the request; `None` when it was not sent. What is wrong with one is `invalid_request` (§2.2.2).
async fn token(
    app: &App,
    conn: &mut Conn,
    parameters: &Parameters,
    name: &str,
    type_name: &str,
) -> Result<Option<Live>, TokenError> {
    let token = match (parameters.get(name), parameters.get(type_name)) {
        (None, None) => return Ok(None),
        (Some(token), Some(ACCESS_TOKEN | JWT)) => token,
        _ => return Err(TokenError::InvalidRequest("a token has no type, or one that we do not take")),
    };
    match access_token::find_live(app, conn, token).await {
        // Whoever sends it has not proved to hold the key.
        Ok(live) if live.claims.cnf.is_some() => Err(TokenError::InvalidRequest("a token is bound to a key")),
        Ok(live) => Ok(Some(live)),
        Err(BearerError::Internal(error)) => Err(error.into()),
        Err(reason) => {
            tracing::debug!(%reason, name, "refused to exchange a token");
            Err(TokenError::InvalidRequest("a token is not an access token of ours that is in force"))
        }
    }
}

/// Whether the token was given to whom the rule says, and for whom: it must not have been meant for others only.
fn accepts(rule: &TokenExchange, subject: &Claims) -> bool {
    let mut meant_for = rule.subject_audience.iter().chain(&rule.audience).chain([&rule.client]);
    rule.subject_client.contains(&subject.client_id.0) && meant_for.any(|name| subject.aud.has(name))
}

/// Never more than the exchanged token has, nor than the client may ask for.
fn narrow_scope(parameters: &Parameters, client: &Client, subject: &Claims) -> Result<String, TokenError> {
    const REFUSED: TokenError =
        TokenError::InvalidScope("scope is malformed, or more than the token has or the client may ask for");
    let asked = parameters.get("scope");
    let words = scope::parse(asked.unwrap_or(&subject.scope)).ok_or(REFUSED)?;
    let narrowed = scope::intersection(&words, &subject.scope);
    let narrowed = narrowed.and_then(|words| scope::intersection(&words, &client.scope)).ok_or(REFUSED)?;
    if asked.is_some() && narrowed != words { Err(REFUSED) } else { Ok(scope::to_text(&narrowed)) }
}

/// What the new token is for; space-separated. Without a word about it, the only thing that it may be for.
fn target(parameters: &Parameters, rules: &[&TokenExchange]) -> Result<String, TokenError> {
    let unique = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.dedup();
        names.join(" ")
    };
    let allowed = unique(rules.iter().flat_map(|rule| &rule.audience).map(String::as_str).collect());
    let asked = unique(parameters.all("resource").chain(parameters.all("audience")).collect());
    match asked.as_str() {
        "" if allowed.contains(' ') => {
            Err(TokenError::InvalidRequest("neither resource nor audience says which"))
        }
        "" => Ok(allowed),
        asked if scope::covers(&allowed, asked) => Ok(asked.to_owned()),
        _ => Err(TokenError::InvalidTarget("the target is not one that a rule allows")),
    }
}

/// Who acts: the client itself, or who its own token is about.
fn acting(client: &Client, actor: Option<Live>) -> Result<String, TokenError> {
    match actor {
        None => Ok(client.id.0.clone()),
        Some(Live { claims, .. }) if claims.client_id == client.id && claims.act.is_none() => Ok(claims.sub),
        Some(_) => {
            Err(TokenError::InvalidRequest("actor_token is another client's, or was exchanged itself"))
        }
    }
}
