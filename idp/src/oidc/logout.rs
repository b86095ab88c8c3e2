//! RP-Initiated Logout 1.0, and logging out from our own pages.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use platform::pages::{self, FormTarget, Page, Protected};

use super::id_token::{self, Hint};
use crate::{
    App,
    account::{LoggedOut, LogoutConfirm, session},
    audit,
    audit::Event,
    error::PageError,
    oauth2::{parameters::Parameters, redirect_uri},
    refusals,
    store::{clients::Client, sessions, sessions::Session},
};

/// What the endpoint understands; the confirmation page carries exactly these on.
const PARAMETERS: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    page: Page,
) -> Result<Response, PageError> {
    logout(&app, &Parameters::parse(query.unwrap_or_default().as_bytes()), &headers, &page).await
}

/// §2: the same by POST, from other sites too: without a hint of this very session the person is asked.
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    page: Page,
    body: Bytes,
) -> Result<Response, PageError> {
    let parameters =
        Parameters::from_form(&headers, &body).ok_or(PageError::Request("the body is not a form"))?;
    if app.site.cookie(&headers, session::COOKIE).is_none() && !parameters.malformed() {
        // Browsers keep `SameSite=Lax` cookies from posts of other sites, and bring them to this address.
        return Ok(Redirect::to(&format!("/logout?{}", parameters.encode())).into_response());
    }
    logout(&app, &parameters, &headers, &page).await
}

/// The person confirmed, or pressed the button on a page of ours.
pub async fn confirm(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(fields): Protected<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = LogoutRequest::read(&app, &Parameters::parse(encoded.as_bytes())).await?;
    let session = session::alive(&app, &headers).await?;
    finish(&app, session, request).await
}

async fn logout(
    app: &App,
    parameters: &Parameters,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Response, PageError> {
    let request = LogoutRequest::read(app, parameters).await?;
    let session = session::alive(app, headers).await?;
    let proves = |session: &Session| request.hint.as_ref().is_some_and(|hint| hint.sid == Some(session.id));
    match session {
        Some(session) if !proves(&session) => {
            let carried: Vec<(&str, String)> = PARAMETERS
                .iter()
                .filter_map(|name| parameters.get(name).map(|value| (*name, value.to_owned())))
                .collect();
            let confirm = LogoutConfirm {
                place: &app.place,
                email: &session.email,
                form_token: &page.form_token,
                parameters: &carried,
            };
            let target = request.destination().map(|(uri, _)| redirect_uri::form_target(uri));
            let target = FormTarget(target.unwrap_or_default());
            Ok((axum::Extension(target), pages::render(confirm.render())).into_response())
        }
        session => finish(app, session, request).await,
    }
}

/// Ends the session, if there is one, and sends the person on, if the request proves where to.
async fn finish(app: &App, session: Option<Session>, request: LogoutRequest) -> Result<Response, PageError> {
    // Only a cookie that was sent is taken away: another site's post comes without.
    let cookie =
        session.is_some().then(|| (header::SET_COOKIE, app.site.set_cookie(session::COOKIE, "", Some(0))));
    if let Some(session) = session {
        let mut tx = app.db.write().await?;
        sessions::end(&mut tx, session.id, app.clock.now()).await?;
        audit::record(app, &mut tx, Some(session.user_id), Event::LoggedOut { session: session.id }).await?;
        tx.commit().await?;
        app.session_ended.notify_one();
    }
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let response = match request.destination() {
        Some((uri, state)) => {
            let mut to = uri.to_owned();
            if let Some(state) = state {
                let state =
                    url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
                to = format!("{to}{}{state}", if to.contains('?') { '&' } else { '?' });
            }
            Redirect::to(&to).into_response()
        }
        None => pages::render(LoggedOut { place: &app.place }.render()),
    };
    Ok((AppendHeaders(cookie), no_store, response).into_response())
}

/// What a relying party asked for, as far as it can be believed.
struct LogoutRequest {
    hint: Option<Hint>,
    /// Whose redirect URIs count: named by a hint of ours, nothing else (§3).
    client: Option<Arc<Client>>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

impl LogoutRequest {
    async fn read(app: &App, parameters: &Parameters) -> Result<Self, PageError> {
        refusals::parameters(parameters);
        if parameters.malformed() {
            return Err(PageError::Request("a logout parameter was sent twice or is malformed"));
        }
        let hint = parameters.get("id_token_hint").and_then(|hint| id_token::read_hint(app, hint).ok());
        let client = match &hint {
            Some(hint) => match hint.aud.first() {
                Some(id) => app.clients.find(id).await?,
                None => None,
            },
            None => None,
        };
        // §2: when both are there they must agree.
        let client = client.filter(|client| parameters.get("client_id").is_none_or(|id| id == client.id.0));
        Ok(Self {
            hint,
            client,
            post_logout_redirect_uri: parameters.get("post_logout_redirect_uri").map(str::to_owned),
            state: parameters.get("state").map(str::to_owned),
        })
    }

    /// A registered place to go to, with the state to bring. Anything else stays here, on a page.
    fn destination(&self) -> Option<(&str, Option<&str>)> {
        let uri = self.post_logout_redirect_uri.as_deref()?;
        let registered = self.client.as_ref()?.post_logout_redirect_uris.has(uri);
        registered.then_some((uri, self.state.as_deref()))
    }
}
