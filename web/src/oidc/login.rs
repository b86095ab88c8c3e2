//! `GET /login` and `GET /signup`: to the identity provider, with a promise to come back.

use axum::{
    Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
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
use url::form_urlencoded;

use crate::{
    App,
    error::PageError,
    store::logins::{self, Login},
    visit::Visit,
};

/// How long a person may take to log in.
pub(super) const LIFETIME: TimeDelta = TimeDelta::minutes(10);

const SCOPES: [&str; 4] = ["profile", "email", "tasks:read", "tasks:write"]; // besides `openid`

/// Where a log-in leads, and what is demanded of it.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    return_to: Option<String>,
    /// Seconds. Of whoever is logged in already, too (RFC 9470 §4).
    max_age: Option<u32>,
    acr_values: Option<String>,
    /// OpenID Connect Core §4: the provider that asks for this log-in, whom it expects, and where it leads.
    iss: Option<String>,
    login_hint: Option<String>,
    target_link_uri: Option<String>,
    #[serde(skip)]
    prompt: Option<&'static str>,
}

impl Wanted {
    /// The local path that was asked for; the tasks when there is none, or it is not a place of ours.
    fn path<'a>(&'a self, app: &'a App) -> &'a str {
        let here = |uri: &'a str| uri.strip_prefix(&app.config.public_url);
        let asked = self.return_to.as_deref().or_else(|| self.target_link_uri.as_deref().and_then(here));
        asked.filter(|path| is_local_path(path)).unwrap_or("/tasks")
    }
}

type Asked = Result<Query<Wanted>, QueryRejection>;

pub(crate) async fn login(State(app): State<App>, visit: Visit, asked: Asked) -> Result<Response, PageError> {
    let Query(wanted) = asked.map_err(unclear)?;
    begin(&app, &visit, wanted).await
}

/// Core §4: the same by POST. One from another site brings no cookies, and a log-in that began with it would be
/// bound to no browser: it begins with the GET that this leads to.
pub(crate) async fn login_by_post(asked: Result<Form<Wanted>, FormRejection>) -> Result<Redirect, PageError> {
    let Form(wanted) = asked.map_err(unclear)?;
    let fields =
        [("iss", wanted.iss), ("login_hint", wanted.login_hint), ("target_link_uri", wanted.target_link_uri)];
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(Redirect::to(&format!("/login?{}", query.finish())))
}

pub(crate) async fn signup(
    State(app): State<App>,
    visit: Visit,
    asked: Asked,
) -> Result<Response, PageError> {
    let Query(wanted) = asked.map_err(unclear)?;
    // Initiating User Registration via OpenID Connect 1.0.
    begin(&app, &visit, Wanted { prompt: Some("create"), ..wanted }).await
}

/// What cannot be read may have held a demand, or another issuer.
fn unclear<E>(_: E) -> PageError {
    PageError::Login("a parameter is of the wrong type or given twice")
}

async fn begin(app: &App, visit: &Visit, wanted: Wanted) -> Result<Response, PageError> {
    // Another provider's wish could make people give away what they type there (Core §4).
    if wanted.iss.as_deref().is_some_and(|iss| iss != app.provider.issuer()) {
        return Err(PageError::Login("iss is another issuer"));
    }
    if wanted.acr_values.as_deref().is_some_and(|values| values.contains(char::is_control)) {
        return Err(PageError::Login("acr_values are no words"));
    }
    if visit.session.is_some() && wanted.max_age.is_none() && wanted.acr_values.is_none() {
        return Ok(Redirect::to(wanted.path(app)).into_response());
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
    let max_age = wanted.max_age.map(|seconds| seconds.to_string());
    let extra = [
        ("prompt", wanted.prompt),
        ("max_age", max_age.as_deref()),
        ("acr_values", wanted.acr_values.as_deref()),
        ("login_hint", wanted.login_hint.as_deref()),
    ];
    for (name, value) in extra {
        if let Some(value) = value {
            request = request.add_extra_param(name, value);
        }
    }
    let (url, state, nonce) = request.url();

    let login = Login {
        nonce: nonce.secret().clone(),
        code_verifier: code_verifier.into_secret(),
        return_to: wanted.path(app).to_owned(),
        max_age: wanted.max_age.map(i64::from),
        expires_at: app.clock.now() + LIFETIME,
        acr_values: wanted.acr_values,
    };
    let mut tx = app.db.write().await?;
    logins::insert(&mut tx, &SecretHash::of(state.secret()), &visit.page.browser, &login).await?;
    tx.commit().await?;
    Ok(Redirect::to(url.as_str()).into_response())
}
