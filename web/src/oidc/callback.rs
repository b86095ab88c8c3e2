//! `GET /callback`: the answer of the authorization endpoint (OpenID Connect Core 1.0 §3.1.2.5 to §3.1.3.7).

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use openidconnect::{
    AuthorizationCode, Nonce, OAuth2TokenResponse, PkceCodeVerifier, RequestTokenError,
    core::{CoreTokenResponse, CoreUserInfoClaims},
};
use platform::secret::SecretHash;
use serde::Deserialize;

use super::{
    Unavailable, access_token_expires_at,
    discovery::Discovered,
    id_token::{self, Authentication},
    login::LIFETIME,
};
use crate::{
    App,
    error::PageError,
    session::{Content, Session},
    store::logins::{self, Login},
    toast::Toast,
    visit::Visit,
};

/// How far the provider's clock may be behind ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// RFC 6749 §4.1.2, RFC 9207 §2.
#[derive(Deserialize)]
pub(crate) struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    visit: Visit,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(answer) = answer.map_err(|_| PageError::Login("parameters are missing or given twice"))?;
    let Some(login) = redeem(&app, &visit, answer.state.as_deref()).await? else {
        // A second click, or the back button: whoever is logged in by now has nothing to mend.
        if visit.session.is_some() {
            return Ok(Redirect::to("/tasks").into_response());
        }
        return Err(PageError::Login("the state is unknown, spent, expired or another browser's"));
    };
    let provider = app.provider.discover().await?;
    match &answer.iss {
        Some(iss) if iss == app.provider.issuer() => {}
        Some(_) => return Err(PageError::Login("iss is another issuer")),
        None if provider.iss_expected => return Err(PageError::Login("iss is missing")),
        None => {}
    }
    if let Some(error) = answer.error {
        return refused(&app, &error);
    }
    let code = answer.code.ok_or(PageError::Login("neither code nor error"))?;
    let response = exchange(&app, &provider, code, login.code_verifier).await?;
    let (id_token, subject) = id_token::check(&app, &provider, &response, &Nonce::new(login.nonce)).await?;
    let authentication = Authentication::of(&id_token);
    // Core §3.1.3.7: a log-in that is not what was asked for would be asked for again and again.
    let asked_at = login.expires_at - LIFETIME - LEEWAY;
    if !authentication.meets(login.max_age, login.acr_values.as_deref(), asked_at) {
        return Err(PageError::LoginNotEnough);
    }

    let content = Content {
        name: name(&app, &provider, &response, &subject).await,
        subject,
        access_token: response.access_token().secret().clone(),
        refresh_token: response.refresh_token().map(|token| token.secret().clone()),
        id_token,
    };
    let expires_at = access_token_expires_at(&response, &app.clock);
    let cookie =
        Session::start(&app, &content, authentication.sid.as_deref(), expires_at, visit.session.as_ref())
            .await?;
    tracing::info!(user.id = %content.subject, "logged in");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&login.return_to)).into_response())
}

async fn redeem(app: &App, visit: &Visit, state: Option<&str>) -> Result<Option<Login>, PageError> {
    let Some(state) = state else { return Ok(None) };
    let mut tx = app.db.write().await?;
    let now = app.clock.now();
    let login = logins::redeem(&mut tx, &SecretHash::of(state), &visit.page.browser, now).await?;
    tx.commit().await?;
    Ok(login)
}

/// RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6. What the provider says is matched, never shown.
fn refused(app: &App, error: &str) -> Result<Response, PageError> {
    match error {
        "access_denied"
        | "login_required"
        | "interaction_required"
        | "account_selection_required"
        | "consent_required" => Ok(Toast::LoginCancelled.redirect(&app.site, "/")),
        "temporarily_unavailable" | "server_error" => {
            Err(Unavailable("the authorization endpoint could not answer".into()).into())
        }
        _ => Err(PageError::Login("the provider refused the request itself")),
    }
}

async fn exchange(
    app: &App,
    provider: &Discovered,
    code: String,
    code_verifier: String,
) -> Result<CoreTokenResponse, PageError> {
    let request = provider
        .client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|error| Unavailable::because("metadata", &error))?
        .set_pkce_verifier(PkceCodeVerifier::new(code_verifier))
        .add_extra_param("resource", &app.config.api_url);
    request.request_async(&app.provider.http).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(answer) => {
            tracing::warn!(error = %answer.error(), "the token endpoint refused a code");
            PageError::Login("the token endpoint refused the code")
        }
        error => Unavailable::because("the token endpoint", &error).into(),
    })
}

/// What to call the person: their name, else their address. Not knowing it stops nobody from logging in.
async fn name(
    app: &App,
    provider: &Discovered,
    response: &CoreTokenResponse,
    subject: &str,
) -> Option<String> {
    let subject = openidconnect::SubjectIdentifier::new(subject.to_owned());
    let request = provider.client.user_info(response.access_token().clone(), Some(subject)).ok()?;
    let claims: CoreUserInfoClaims = request
        .request_async(&app.provider.http)
        .await
        .inspect_err(|error| tracing::warn!(%error, "the provider does not say who logged in"))
        .ok()?;
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    name.filter(|name| !name.trim().is_empty()).or_else(|| claims.email().map(|email| email.to_string()))
}
