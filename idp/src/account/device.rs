//! User Interaction of the device grant, RFC 8628 §3.3: the code that a device shows is entered here, and the
//! person decides. A link may bring the code along (§3.3.1); it never decides anything.

use std::net::IpAddr;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    address,
    http::current,
    pages::{Page, Protected, render},
    place::Place,
};
use serde::Deserialize;

use super::{
    consent::{Answer, permissions},
    home::{ago, full, iso},
    journey::Journey,
    session, throttle,
};
use crate::{
    App,
    error::PageError,
    oauth2::{authorize::Decision, device::Waiting, user_code::UserCode},
    refusals,
    store::{device_authorizations, sessions::Session},
};

#[derive(Deserialize)]
pub struct Parameters {
    #[serde(default)]
    user_code: String,
}

#[derive(Deserialize)]
pub struct Form {
    code: String,
}

#[derive(Deserialize)]
pub struct Decided {
    user_code: String,
    decision: Answer,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct Connect<'a> {
    place: &'a Place,
    page: &'a Page,
    session: &'a Session,
    code: &'a str,
    not_you: String,
    problem: Option<Problem>,
}

enum Problem {
    /// Of what was entered.
    Code(&'static str),
    Throttled(throttle::Wait),
}

#[derive(Template)]
#[template(path = "connect_confirm.html")]
struct Confirm<'a> {
    place: &'a Place,
    page: &'a Page,
    session: &'a Session,
    code: &'a UserCode,
    waiting: &'a Waiting,
    /// In plain words, and by name where we have none.
    permissions: Vec<(Option<&'static str>, &'a str)>,
    since: String,
    /// Whether the device is where this browser is; `None` when nobody can tell.
    same_network: Option<bool>,
    not_you: String,
}

#[derive(Template)]
#[template(path = "connected.html")]
struct Connected<'a> {
    place: &'a Place,
    client: &'a str,
    allowed: bool,
}

/// `GET /device[?user_code=<code>]`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, PageError> {
    let journey = Journey::Device(UserCode::parse(&parameters.user_code));
    let Some(session) = session::current(&app, &headers).await? else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let code = journey.code().map(UserCode::to_string).unwrap_or_default();
    Ok(show(&app, &page, &session, &code, None))
}

/// `POST /device`. Unknown, expired, decided: one answer.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(Form { code: typed }): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::Device(UserCode::parse(&typed));
    let Some(session) = session::current(&app, &headers).await? else {
        return Ok(Redirect::to(&journey.by("/login")).into_response());
    };
    let refuse = |problem| Ok(show(&app, &page, &session, &typed, Some(problem)));
    let Some(code) = journey.code() else {
        return refuse(Problem::Code("Enter the eight letters that your device shows, like WDJB-MJHT."));
    };
    let attempt = match throttle::user_code(&app, session.user_id).await? {
        Ok(attempt) => attempt,
        Err(wait) => {
            tracing::info!(rule = "throttle", user.id = %session.user_id, "refused a user code: too many attempts");
            refusals::user(session.user_id);
            refusals::refused("device", "throttle");
            return refuse(Problem::Throttled(wait));
        }
    };
    let mut tx = app.db.write().await?;
    if !device_authorizations::claim(&mut tx, &code.hash(&app), session.id, app.clock.now()).await? {
        tracing::info!(rule = "user code", user.id = %session.user_id, "refused a user code: unknown, expired or decided");
        refusals::user(session.user_id);
        refusals::refused("device", "user code");
        return refuse(Problem::Code(
            "We do not know this code, or it has expired. Check it, or let your device show a new one.",
        ));
    }
    attempt.succeeded(&mut tx).await?;
    tx.commit().await?;
    Ok(Redirect::to(&journey.by("/device/confirm")).into_response())
}

/// `GET /device/confirm?user_code=<code>`: for the session in which the code was entered.
pub async fn confirm(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, PageError> {
    let journey = Journey::Device(UserCode::parse(&parameters.user_code));
    let enter_it = || Ok(Redirect::to(&journey.by("/device")).into_response());
    let Some(session) = session::current(&app, &headers).await? else { return enter_it() };
    let Some(code) = journey.code() else { return enter_it() };
    let Some(waiting) = Waiting::find(&app, code, &session).await? else { return enter_it() };
    if waiting.needs_second_factor(&session) {
        return Ok(Redirect::to(&journey.by("/login/second")).into_response());
    }
    let scope: Vec<String> = waiting.authorization.scope.split(' ').map(str::to_owned).collect();
    let confirm = Confirm {
        place: &app.place,
        page: &page,
        session: &session,
        code,
        permissions: permissions(&scope),
        since: ago(app.clock.now() - waiting.authorization.created_at),
        same_network: same_network(&waiting.authorization.address, current().client),
        not_you: journey.by("/login"),
        waiting: &waiting,
    };
    Ok(render(confirm.render()))
}

/// `POST /device/confirm`
pub async fn decide(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(form): Protected<Decided>,
) -> Result<Response, PageError> {
    let code = UserCode::parse(&form.user_code).ok_or(PageError::Gone)?;
    let session = session::current(&app, &headers).await?.ok_or(PageError::Gone)?;
    let waiting = Waiting::find(&app, &code, &session).await?.ok_or(PageError::Gone)?;
    if waiting.needs_second_factor(&session) {
        let journey = Journey::Device(Some(code));
        return Ok(Redirect::to(&journey.by("/login/second")).into_response());
    }
    let decision = Decision::from(form.decision);
    waiting.decide(&app, &code, &session, decision).await?;
    let (place, client) = (&app.place, &waiting.client.name);
    Ok(render(Connected { place, client, allowed: decision == Decision::Allow }.render()))
}

/// One house has two networks, an IPv4 and an IPv6 one, and nothing tells that they belong together.
fn same_network(device: &str, browser: IpAddr) -> Option<bool> {
    let device = device.parse::<IpAddr>().ok().filter(|device| device.is_ipv4() == browser.is_ipv4())?;
    Some(address::network(device) == address::network(browser))
}

fn show(app: &App, page: &Page, session: &Session, code: &str, problem: Option<Problem>) -> Response {
    let (status, retry_after) = match &problem {
        None => (StatusCode::OK, None),
        Some(Problem::Code(_)) => (StatusCode::UNPROCESSABLE_ENTITY, None),
        Some(Problem::Throttled(wait)) => (StatusCode::TOO_MANY_REQUESTS, Some(wait.retry_after())),
    };
    let not_you = Journey::Device(UserCode::parse(code)).by("/login");
    let connect = Connect { place: &app.place, page, session, code, not_you, problem };
    let mut response = render(connect.render());
    if response.status().is_success() {
        *response.status_mut() = status;
    }
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_one_kind_are_compared() {
        let said = |device, browser: &str| same_network(device, browser.parse().unwrap());
        assert_eq!(said("192.0.2.1", "192.0.2.1"), Some(true));
        assert_eq!(said("192.0.2.1", "192.0.2.2"), Some(false));
        assert_eq!(said("2001:db8:1:2::a", "2001:db8:1:2::b"), Some(true));
        assert_eq!(said("192.0.2.1", "2001:db8:1:2::b"), None);
        assert_eq!(said("", "192.0.2.1"), None);
    }
}
