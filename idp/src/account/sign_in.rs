//! Log-in by address and password.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
    secret::{ExposeSecret, SecretString},
};
use serde::Deserialize;

use super::{
    factors::Method,
    gate,
    journey::{Carried, Journey},
    session, throttle, upstream,
};
use crate::{
    App, audit,
    audit::Event,
    email::Email,
    error::PageError,
    password::{Password, Verdict},
    refusals,
    store::{Tx, UserId, users},
    upstream::Provider,
};

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
    email: String,
    password: SecretString,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    sign_up: bool,
    upstreams: Vec<&'a Provider>,
    passkeys: bool,
    /// Whether a code may be mailed instead.
    mailed_code: bool,
    /// Whoever is logged in shall prove it once more.
    again: bool,
    email: &'a str,
    problems: Problems,
}

/// What is wrong, beside the field that it is wrong with.
#[derive(Default)]
struct Problems {
    whole: Option<String>,
    email: Option<&'static str>,
    password: Option<&'static str>,
}

impl Problems {
    fn any(&self) -> bool {
        self.whole.is_some() || self.email.is_some() || self.password.is_some()
    }
}

/// `GET /login[?request=<handle>|?user_code=<code>]`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let session = session::current(&app, &headers).await?;
    if session.as_ref().is_some_and(|session| journey.is_over(&app, session)) {
        return Ok(Redirect::to(&journey.destination()).into_response());
    }
    // Who is logged in and was sent here shall prove it again (`prompt=login`, `max_age`), or be another.
    let renewed = session.filter(|session| journey.renews(&app, session));
    let known = renewed.as_ref().map(|session| session.email.as_str());
    let email = known.or(journey.login_hint()).unwrap_or_default();
    Ok(show(&app, &page, &journey, StatusCode::OK, renewed.is_some(), email, Problems::default()))
}

/// `POST /login`. Unknown, wrong, disabled: one answer, after the same work.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let session = session::current(&app, &headers).await?;
    let again = session.is_some_and(|session| journey.renews(&app, &session));
    let refuse = |status, problems| Ok(show(&app, &page, &journey, status, again, &form.email, problems));

    let email = Email::parse(&form.email);
    let problems = Problems {
        whole: None,
        email: match &email {
            _ if form.email.trim().is_empty() => Some("Enter your e-mail address."),
            None => Some("Enter an e-mail address, like name@example.com."),
            Some(_) => None,
        },
        password: form.password.expose_secret().is_empty().then_some("Enter your password."),
    };
    let Some(email) = email.filter(|_| !problems.any()) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problems);
    };

    let attempt = match throttle::log_in(&app, &headers, &email.normalized).await? {
        Ok(attempt) => attempt,
        Err(wait) => {
            tracing::info!(rule = "throttle", "refused a log-in: too many attempts");
            refusals::refused("log-in", "throttle");
            let whole = Some(format!("Too many attempts. Wait {wait}, then try again."));
            let mut response =
                refuse(StatusCode::TOO_MANY_REQUESTS, Problems { whole, ..Problems::default() });
            if let Ok(response) = &mut response {
                response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
            }
            return response;
        }
    };
    let entered = match compare(&app, &email, &form.password, attempt).await? {
        Some((tx, user)) => gate::passed(&app, tx, user, Method::Password, &journey, &headers, &page).await?,
        None => None,
    };
    match entered {
        Some(response) => Ok(response),
        None => {
            let whole =
                Some("The address or the password is not right. Check both and try again.".to_owned());
            refuse(StatusCode::UNPROCESSABLE_ENTITY, Problems { whole, ..Problems::default() })
        }
    }
}

/// Somebody may not log in the way that they have tried, which is not by password.
pub(super) async fn refuse(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    journey: &Journey,
    problem: &str,
) -> Result<Response, PageError> {
    let session = session::current(app, headers).await?;
    let again = session.is_some_and(|session| journey.renews(app, &session));
    let email = journey.login_hint().unwrap_or_default();
    let problems = Problems { whole: Some(problem.to_owned()), ..Problems::default() };
    Ok(show(app, page, journey, StatusCode::UNPROCESSABLE_ENTITY, again, email, problems))
}

/// The person whose password it is, and the transaction in which that is certain.
async fn compare(
    app: &App,
    email: &Email,
    typed: &SecretString,
    attempt: throttle::Attempt,
) -> Result<Option<(Tx, UserId)>, PageError> {
    let mut conn = app.db.read().await?;
    let credentials = users::find_credentials(&mut conn, &email.normalized).await?;
    drop(conn);

    // What cannot be a password is not hashed; something else is, so that it takes as long.
    let presented = Password::presented(typed);
    let stored =
        credentials.as_ref().filter(|_| presented.is_some()).and_then(|known| known.password_hash.as_deref());
    let Some(password) = presented.or_else(|| Password::presented(&"-".into())) else { return Ok(None) };
    let verdict = app.passwords.verify(password, stored).await?;
    let user_id = credentials.as_ref().map(|known| known.id);
    user_id.into_iter().for_each(refusals::user);
    // Written for unknown addresses, too, so that it takes as long.
    let failed = Event::LogInFailed { factor: Method::Password.into() };
    let Some(known) = credentials.filter(|_| verdict != Verdict::Wrong) else {
        tracing::info!(
            rule = "password",
            user.id = user_id.map(tracing::field::display),
            "refused a log-in: unknown address or wrong password"
        );
        refusals::refused("log-in", "password");
        audit::record_alone(app, user_id, failed).await?;
        return Ok(None);
    };

    let mut tx = app.db.write().await?;
    // Hashing takes a while: the person may have changed the password meanwhile.
    let current = users::find_credentials(&mut tx, &email.normalized).await?;
    let same =
        current.is_some_and(|current| current.id == known.id && current.password_hash == known.password_hash);
    if !same {
        tracing::info!(rule = "changed meanwhile", user.id = %known.id, "refused a log-in of user {}", known.id);
        refusals::refused("log-in", "changed meanwhile");
        drop(tx);
        audit::record_alone(app, user_id, failed).await?;
        return Ok(None);
    }
    if let (Verdict::RightRehashed(new), Some(old)) = (&verdict, &known.password_hash) {
        users::rehash_password(&mut tx, known.id, old, new).await?;
    }
    attempt.succeeded(&mut tx).await?;
    Ok(Some((tx, known.id)))
}

fn show(
    app: &App,
    page: &Page,
    journey: &Journey,
    status: StatusCode,
    again: bool,
    email: &str,
    problems: Problems,
) -> Response {
    let (place, sign_up, passkeys) = (&app.place, app.config.sign_up, app.passkeys.is_some());
    let (upstreams, mailed_code) = (upstream::offered(app, journey), app.config.mailed_code_login);
    journey.page(
        status,
        &SignIn { place, page, journey, sign_up, passkeys, upstreams, mailed_code, again, email, problems },
    )
}
