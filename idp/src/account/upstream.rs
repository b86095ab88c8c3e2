//! Log-in by another provider: there by a form, and back by OpenID Connect Core §3.1.2.5 or RFC 6749 §4.1.2.
//!
//! What comes back is believed only in the browser that it began in, once, from the provider that was asked (each has
//! a redirect URI of its own, RFC 9700 §4.4). Whom nobody here is does not become anybody by their address.

mod arrival;
pub mod link;
mod onward;
mod problem;
pub mod sign_up;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use platform::{
    pages::{Page, Protected},
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;

use super::{
    factors::Method,
    gate::{self, Arrival},
    journey::{Carried, Journey},
    session, throttle,
};
use crate::{
    App,
    error::PageError,
    refusals,
    store::{
        UserId, upstream_identities,
        upstream_sign_ins::{self, UpstreamSignIn},
    },
    upstream::{Asked, Failure, Proof, Provider},
};
use problem::Problem;

pub use arrival::known;

const STATE: &str = "lku_";
/// How long somebody may take at the provider.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// What a provider answers: RFC 6749 §4.1.2, RFC 9207 §2.
#[derive(Deserialize)]
pub struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// The providers that somebody can log in by on this journey.
pub fn offered<'a>(app: &'a App, journey: &Journey) -> Vec<&'a Provider> {
    let demanding = journey.max_age().is_some();
    app.upstreams.iter().filter(|provider| !demanding || provider.logs_in_again()).collect()
}

/// `POST /login/upstream/{id}`
pub async fn begin(
    State(app): State<App>,
    Path(id): Path<String>,
    page: Page,
    Protected(carried): Protected<Carried>,
) -> Result<Response, PageError> {
    let Some(provider) = app.upstream(&id) else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let journey = Journey::find(&app, &carried, &page).await?;
    start(&app, provider, &page, &journey, None).await
}

/// Sends somebody to a provider. `link_to`: who wants to link what comes back.
pub(super) async fn start(
    app: &App,
    provider: &Provider,
    page: &Page,
    journey: &Journey,
    link_to: Option<UserId>,
) -> Result<Response, PageError> {
    let refuse = |problem| Ok(problem::page(app, provider, Some(journey), &problem));
    if let Err(wait) = throttle::upstream(app).await? {
        tracing::info!(rule = "throttle", "refused a log-in by a provider: too many from one network");
        refusals::refused("log-in", "throttle");
        return refuse(Problem::Throttled(wait));
    }
    let max_age = journey.max_age();
    if max_age.is_some() && !provider.logs_in_again() {
        return refuse(Problem::NotAgain);
    }
    let random = || secret::generate("").expose_secret().to_owned();
    let state = secret::generate(STATE);
    let row = UpstreamSignIn {
        nonce: random(),
        code_verifier: random(),
        journey: journey.keep(),
        user_id: link_to,
        max_age,
        created_at: app.clock.now(),
    };
    let asked = Asked {
        state: state.expose_secret(),
        nonce: &row.nonce,
        code_challenge: &SecretHash::of(&row.code_verifier).to_base64url(),
        login_hint: journey.login_hint(),
        max_age: max_age.or(journey.wishes_max_age()),
    };
    let address = match provider.authorize(app, &asked).await {
        Ok(address) => address,
        Err(failure) => return refuse(Problem::of(&failure, provider)),
    };
    let (hash, upstream) = (SecretHash::of(state.expose_secret()), &provider.settings.id);
    let mut tx = app.db.write().await?;
    upstream_sign_ins::insert(&mut tx, &hash, &page.browser, upstream, &row, PATIENCE).await?;
    tx.commit().await?;
    Ok(onward::to(app, &provider.settings.name, address.as_str()))
}

/// `GET /login/upstream/{id}/callback`
pub async fn callback(
    State(app): State<App>,
    Path(id): Path<String>,
    page: Page,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Result<Response, PageError> {
    let Some(provider) = app.upstream(&id) else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let answer = answer.ok().map(|Query(answer)| answer);
    let state = answer.as_ref().and_then(|answer| answer.state.as_deref());
    let (Some(sign_in), Some(answer)) = (redeem(&app, provider, &page, state).await?, answer) else {
        // A second click, or the back button: whoever is logged in by now has nothing to mend.
        if session::current(&app, &headers).await?.is_some() {
            return Ok(Redirect::to("/account").into_response());
        }
        return Ok(problem::page(&app, provider, None, &Problem::Gone));
    };
    let journey = Journey::find(&app, &Carried::kept(&sign_in.journey), &page).await?;
    let visit = Visit { app: &app, provider, page: &page, headers: &headers, journey: &journey };
    match visit.judge(answer, &sign_in).await {
        Ok(proof) => visit.finish(proof, &sign_in).await,
        Err(failure) => Ok(visit.refuse(&Problem::of(&failure, provider))),
    }
}

/// Of any number of answers with one state, one is looked at.
async fn redeem(
    app: &App,
    provider: &Provider,
    page: &Page,
    state: Option<&str>,
) -> Result<Option<UpstreamSignIn>, PageError> {
    let Some(state) = state.map(SecretHash::of) else { return Ok(None) };
    let (upstream, now) = (&provider.settings.id, app.clock.now());
    let mut tx = app.db.write().await?;
    let sign_in = upstream_sign_ins::redeem(&mut tx, &state, &page.browser, upstream, now).await?;
    tx.commit().await?;
    Ok(sign_in)
}

/// Somebody who is back.
struct Visit<'a> {
    app: &'a App,
    provider: &'a Provider,
    page: &'a Page,
    headers: &'a HeaderMap,
    journey: &'a Journey,
}

impl Visit<'_> {
    fn refuse(&self, problem: &Problem) -> Response {
        problem::page(self.app, self.provider, Some(self.journey), problem)
    }

    /// Whom the answer proves.
    async fn judge(&self, answer: Answer, sign_in: &UpstreamSignIn) -> Result<Proof, Failure> {
        self.provider.has_answered(self.app, answer.iss.as_deref()).await?;
        if let Some(error) = answer.error {
            return Err(refused(&error));
        }
        let code = answer.code.ok_or(Failure::Broken("there is neither code nor error"))?;
        self.provider.prove(self.app, &code, sign_in).await
    }

    async fn finish(&self, proof: Proof, sign_in: &UpstreamSignIn) -> Result<Response, PageError> {
        let Self { app, provider, .. } = self;
        let issuer = provider.settings.issuer();
        if let Some(user_id) = sign_in.user_id {
            let session = session::current(app, self.headers).await?;
            if session.is_none_or(|session| session.user_id != user_id) {
                return Ok(self.refuse(&Problem::LoggedOut));
            }
            let mut conn = app.db.read().await?;
            match upstream_identities::find_user(&mut conn, issuer, &proof.subject).await? {
                Some(owner) if owner == user_id => {
                    return Ok(onward::instead_of(app, Redirect::to("/account/linked")));
                }
                Some(_) => return Ok(self.refuse(&Problem::Taken)),
                None => {}
            }
        } else {
            let mut tx = app.db.write().await?;
            let known = upstream_identities::enter(&mut tx, issuer, &proof.subject, app.clock.now()).await?;
            if let Some(user) = known {
                throttle::upstream_succeeded(app, &mut tx).await?;
                let (journey, headers, page) = (self.journey, self.headers, self.page);
                let comes =
                    Arrival { user, method: Method::Upstream, auth_time: proof.auth_time, by: Vec::new() };
                let passed = gate::arrived(app, tx, comes, journey, headers, page).await?;
                return Ok(match passed {
                    Some(entered) => onward::instead_of(app, entered),
                    None => self.refuse(&Problem::Disabled),
                });
            }
        }
        let subject = proof.subject.clone();
        match provider.person(app, proof).await {
            Ok(person) => arrival::receive(self, subject, person, sign_in).await,
            Err(failure) => Ok(self.refuse(&Problem::of(&failure, provider))),
        }
    }
}

/// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6. What the provider says is matched, never shown.
fn refused(error: &str) -> Failure {
    match error {
        "access_denied"
        | "login_required"
        | "interaction_required"
        | "account_selection_required"
        | "consent_required" => Failure::Denied,
        "temporarily_unavailable" | "server_error" => {
            Failure::Unavailable("its authorization endpoint could not answer".to_owned())
        }
        _ => Failure::Broken("it refused the request itself"),
    }
}
