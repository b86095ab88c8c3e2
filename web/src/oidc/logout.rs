//! `POST /logout`: here, and at the provider (OpenID Connect RP-Initiated Logout 1.0).

use axum::{
    extract::State,
    http::header,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use platform::pages::Protected;
use serde::Deserialize;
use url::Url;

use crate::{App, error::PageError, session, toast::Toast, visit::Visit};

#[derive(Deserialize)]
pub(crate) struct Form {}

pub(crate) async fn post(
    State(app): State<App>,
    visit: Visit,
    Protected(Form {}): Protected<Form>,
) -> Result<Response, PageError> {
    let mut destination = "/".to_owned();
    if let Some(session) = visit.session {
        session.end(&app).await?;
        tracing::info!(user.id = %session.content.subject, "logged out");
        // Being logged out here does not wait for a provider that is down.
        let provider = app.provider.discover().await.ok();
        if let Some(endpoint) = provider.and_then(|provider| provider.end_session_endpoint.clone()) {
            destination = end_session(endpoint, &app, &session.content.id_token).into();
        }
    }
    let cookies = AppendHeaders([
        (header::SET_COOKIE, session::forget(&app)),
        (header::SET_COOKIE, Toast::LoggedOut.leave(&app.site)),
    ]);
    Ok((cookies, Redirect::to(&destination)).into_response())
}

/// §2. No `state`: there is nothing that coming back could be mixed up with.
fn end_session(mut endpoint: Url, app: &App, id_token: &str) -> Url {
    endpoint
        .query_pairs_mut()
        .append_pair("id_token_hint", id_token)
        .append_pair("client_id", &app.config.client_id)
        .append_pair("post_logout_redirect_uri", &format!("{}/", app.config.public_url));
    endpoint
}
