//! `GET /login` and `GET /signup`: to the identity provider, with a promise to come back.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use openidconnect::{
    CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope, core::CoreAuthenticationFlow,
};
use platform::{
    pages::is_local_path,
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use crate::{
    App,
    error::PageError,
    store::logins::{self, Login},
    visit::Visit,
};

/// How long a person may take to log in.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

const SCOPES: [&str; 4] = ["profile", "email", "tasks:read", "tasks:write"]; // besides `openid`

#[derive(Deserialize)]
pub(crate) struct Destination {
    return_to: Option<String>,
}

impl Destination {
    /// The local path that was asked for; the tasks when there is none, or it is not a place of ours.
    fn path(destination: Result<Query<Self>, QueryRejection>) -> String {
        let asked = destination.ok().and_then(|Query(destination)| destination.return_to);
        asked.filter(|path| is_local_path(path)).unwrap_or_else(|| "/tasks".into())
    }
}

pub(crate) async fn login(
    State(app): State<App>,
    visit: Visit,
    destination: Result<Query<Destination>, QueryRejection>,
) -> Result<Response, PageError> {
    begin(&app, &visit, Destination::path(destination), None).await
}

pub(crate) async fn signup(
    State(app): State<App>,
    visit: Visit,
    destination: Result<Query<Destination>, QueryRejection>,
) -> Result<Response, PageError> {
    // Initiating User Registration via OpenID Connect 1.0.
    begin(&app, &visit, Destination::path(destination), Some("create")).await
}

async fn begin(
    app: &App,
    visit: &Visit,
    return_to: String,
    prompt: Option<&'static str>,
) -> Result<Response, PageError> {
    if visit.session.is_some() {
        return Ok(Redirect::to(&return_to).into_response());
    }
    let provider = app.provider.discover().await?;
    let random = || secret::generate("").expose_secret().to_owned();
    let code_verifier = PkceCodeVerifier::new(random());
    let mut request = provider
        .client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(random()),
            move || Nonce::new(random()),
        )
        .add_scopes(SCOPES.map(|scope| Scope::new(scope.into())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&code_verifier))
        .add_extra_param("resource", &app.config.api_url); // RFC 8707
    if let Some(prompt) = prompt {
        request = request.add_extra_param("prompt", prompt);
    }
    let (url, state, nonce) = request.url();

    let login =
        Login { nonce: nonce.secret().clone(), code_verifier: code_verifier.into_secret(), return_to };
    let expires_at = app.clock.now() + LIFETIME;
    let mut tx = app.db.write().await?;
    logins::insert(&mut tx, &SecretHash::of(state.secret()), &visit.page.browser, &login, expires_at).await?;
    tx.commit().await?;
    Ok(Redirect::to(url.as_str()).into_response())
}
