//! Authorization Endpoint, RFC 6749 §4.1.1 and OpenID Connect Core §3.1.2.

mod acr;
mod prompt;
mod request;
mod response;
mod step;

use axum::{
    body::Bytes,
    extract::{Query, RawQuery, State, rejection::QueryRejection},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use super::{
    approval::{self, Allowed},
    par,
    parameters::Parameters,
    pending::{self, Pending},
};
use crate::{
    App,
    account::session,
    audit,
    audit::Event,
    config,
    error::PageError,
    refusals,
    store::{
        Tx,
        authorization_codes::{self, AuthorizationCode},
        sessions::Session,
    },
};

pub use request::{Refusal, Request, audience, open};
pub use response::AuthorizeError;
pub use step::{demands_second, is_renewal, max_age};

use step::{Step, next_step};

const CODE: &str = "lkc_";

/// What a person answered when asked for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
pub struct Handle {
    request: String,
}

pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    page: Page,
) -> Result<Response, AuthorizeError> {
    authorize(&app, Parameters::parse(query.unwrap_or_default().as_bytes()), &headers, &page).await
}

/// OpenID Connect Core §3.1.2.1: the same by POST. Other sites may send it: it changes nothing by itself.
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    page: Page,
    body: Bytes,
) -> Result<Response, AuthorizeError> {
    let parameters =
        Parameters::from_form(&headers, &body).ok_or(PageError::Request("the body is not a form"))?;
    if app.site.cookie(&headers, session::COOKIE).is_none() && !parameters.malformed() {
        // Browsers keep `SameSite=Lax` cookies from posts of other sites, and bring them to this address.
        return Ok(Redirect::to(&format!("/authorize?{}", parameters.encode())).into_response());
    }
    authorize(&app, parameters, &headers, &page).await
}

async fn authorize(
    app: &App,
    parameters: Parameters,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Response, AuthorizeError> {
    refusals::parameters(&parameters);
    let pushed = par::redeem(app, &parameters).await?;
    let was_pushed = pushed.is_some();
    let parameters = match pushed {
        Some(pushed) => pushed,
        None => match request::open(app, &parameters).await? {
            Ok(opened) => opened.unwrap_or(parameters),
            // What a request object that is no good says about where to answer cannot be believed.
            Err((error, rule)) => {
                return Err(request::target(app, &parameters).await?.refuse(app, error, rule));
            }
        },
    };
    refusals::parameters(&parameters);
    let request = Request::read(app, parameters).await.map_err(|refusal| refusal.answer(app))?;
    if request.target.client.require_pushed_authorization_requests && !was_pushed {
        return Err(request.target.refuse(app, "invalid_request", "this client has to push its requests"));
    }
    let session = session::current(app, headers).await?;
    let next = next_step(app, &request, session.as_ref(), None).await?;
    if request.prompt.none
        && let Step::LogIn(error) | Step::SecondFactor(error) | Step::Consent(error) = next
    {
        return Err(request.target.refuse(app, error, "prompt=none, but the person would have to be asked"));
    }
    match (next, session) {
        (Step::Issue, Some(session)) => {
            let mut tx = app.db.write().await?;
            let code = issue_code(app, &mut tx, &request, &session, None).await?;
            tx.commit().await?;
            Ok(request.target.answer(app, vec![("code", code)]))
        }
        (next, _) => {
            let handle = pending::store(app, &request.parameters, page).await?;
            let place = match next {
                Step::Consent(_) => "/consent",
                Step::SecondFactor(_) => "/login/second",
                _ if request.prompt.create => "/signup",
                _ => "/login",
            };
            Ok(Redirect::to(&format!("{place}?request={handle}")).into_response())
        }
    }
}

/// Where log-in and sign-up lead when a request waits.
pub async fn resume(
    State(app): State<App>,
    query: Result<Query<Handle>, QueryRejection>,
    headers: HeaderMap,
    page: Page,
) -> Result<Response, AuthorizeError> {
    let Ok(Query(Handle { request: handle })) = query else { return Err(PageError::Gone.into()) };
    let pending = Pending::find(&app, &handle, &page).await?;
    let Some(session) = session::current(&app, &headers).await? else {
        return Ok(Redirect::to(&format!("/login?request={handle}")).into_response());
    };
    match next_step(&app, &pending.request, Some(&session), Some(pending.created_at)).await? {
        Step::Issue => {
            let mut tx = app.db.write().await?;
            pending.spend(&mut tx, &page, app.clock.now()).await?;
            let code = issue_code(&app, &mut tx, &pending.request, &session, None).await?;
            tx.commit().await?;
            Ok(pending.request.target.answer(&app, vec![("code", code)]))
        }
        Step::LogIn(_) => Ok(Redirect::to(&format!("/login?request={handle}")).into_response()),
        Step::SecondFactor(_) => Ok(Redirect::to(&format!("/login/second?request={handle}")).into_response()),
        Step::Consent(_) => Ok(Redirect::to(&format!("/consent?request={handle}")).into_response()),
    }
}

/// The person would rather not log in.
pub async fn cancel(
    State(app): State<App>,
    page: Page,
    Protected(Handle { request: handle }): Protected<Handle>,
) -> Result<Response, AuthorizeError> {
    let pending = Pending::find(&app, &handle, &page).await?;
    let mut tx = app.db.write().await?;
    pending.spend(&mut tx, &page, app.clock.now()).await?;
    tx.commit().await?;
    Err(pending.request.target.refuse(&app, "access_denied", "the person cancelled"))
}

/// Carries out what a person answered on the consent page.
pub async fn decide(
    app: &App,
    pending: Pending,
    session: &Session,
    page: &Page,
    decision: Decision,
) -> Result<Response, AuthorizeError> {
    let request = &pending.request;
    // The form was good for the session that is here now: log-in must be what the request demands.
    let place = match next_step(app, request, Some(session), Some(pending.created_at)).await? {
        Step::LogIn(_) => Some("/login"),
        Step::SecondFactor(_) => Some("/login/second"),
        Step::Consent(_) | Step::Issue => None,
    };
    if let Some(place) = place {
        return Ok(Redirect::to(&format!("{place}?request={}", pending.handle)).into_response());
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    pending.spend(&mut tx, page, now).await?;
    if decision == Decision::Deny {
        tx.commit().await?;
        return Err(request.target.refuse(app, "access_denied", "the person refused consent"));
    }
    approval::remember(&mut tx, &request.target.client, session, &request.consent_scope, now).await?;
    let client_id = request.target.client.id.clone();
    let given = Event::ConsentGiven { client_id, scope: request.consent_scope.clone() };
    let code = issue_code(app, &mut tx, request, session, Some(given)).await?;
    tx.commit().await?;
    Ok(request.target.answer(app, vec![("code", code)]))
}

/// Last before the commit. `led_here`: what the person did for it.
async fn issue_code(
    app: &App,
    tx: &mut Tx,
    request: &Request,
    session: &Session,
    led_here: Option<Event>,
) -> Result<String, AuthorizeError> {
    let (tokens, client) = (&app.config.tokens, &request.target.client);
    let allowed = Allowed {
        scope: &request.scope,
        audience: &request.audience,
        claims: &request.claims,
        redeemable: tokens.code_lifetime,
    };
    let granted = approval::grant(app, tx, client, session, &allowed).await?;
    let code = secret::generate(CODE);
    let row = AuthorizationCode {
        grant_id: granted.id,
        client_id: client.id.clone(),
        redirect_uri: request.target.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.parameters.get("nonce").map(str::to_owned),
        dpop_jkt: request.parameters.get("dpop_jkt").map(str::to_owned),
        expires_at: app.clock.now() + config::seconds(tokens.code_lifetime),
    };
    authorization_codes::insert(tx, &SecretHash::of(code.expose_secret()), &row).await?;
    if let Some(event) = led_here {
        audit::record(app, tx, Some(session.user_id), event).await?;
    }
    approval::connected(app, tx, client, session, granted, &request.scope).await?;
    Ok(code.expose_secret().to_owned())
}
