//! Changing one's password, or choosing the first one.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use platform::{
    pages::{Page, Protected},
    secret::{self, ExposeSecret, SecretString},
};
use serde::Deserialize;

use super::{
    factors::Method,
    frame::{Frame, Section},
    session,
    strength::{self, NewPassword},
    throttle,
    toast::Toast,
};
use crate::{
    App,
    audit::{self, Event},
    email::Email,
    error::PageError,
    password::{Password, Verdict},
    refusals,
    store::{
        sessions::{self, Session},
        sign_ins, users,
    },
};

const HERE: &str = "/account/password";

#[derive(Deserialize)]
pub struct Form {
    /// Only of those who have one.
    current: Option<SecretString>,
    password: SecretString,
}

#[derive(Template)]
#[template(path = "password.html")]
struct Change<'a> {
    frame: &'a Frame<'a>,
    title: &'static str,
    has_password: bool,
    problems: &'a Problems,
    new_password: NewPassword<'a>,
}

/// What is wrong, beside the field that it is wrong with.
#[derive(Default)]
struct Problems {
    whole: Option<String>,
    current: Option<&'static str>,
    new: Option<strength::Refused>,
    retry_after: Option<throttle::Wait>,
}

impl Problems {
    fn any(&self) -> bool {
        self.whole.is_some() || self.current.is_some() || self.new.is_some()
    }
}

/// `GET /account/password`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let stored = users::find_password(&mut conn, session.user_id).await?;
    Ok(show(&app, &page, &headers, &session, stored.is_some(), Problems::default()))
}

/// `POST /account/password`. All other sessions end; this one goes on, under another cookie.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let stored = users::find_password(&mut conn, session.user_id).await?;
    drop(conn);
    let refuse = |problems| Ok(show(&app, &page, &headers, &session, stored.is_some(), problems));

    let current = form.current.unwrap_or_default();
    let chosen = strength::choose(&app, &form.password, [&session.name, &session.email]).await?;
    let missing = stored.is_some() && current.expose_secret().is_empty();
    let missing = missing.then_some("Enter your current password.");
    let password = match chosen {
        Ok(password) if missing.is_none() => password,
        chosen => return refuse(Problems { current: missing, new: chosen.err(), ..Problems::default() }),
    };
    let attempt = match &stored {
        None => None,
        Some(stored) => match compare(&app, &headers, &session, &current, stored).await? {
            Ok(attempt) => Some(attempt),
            Err(problems) => return refuse(problems),
        },
    };
    if stored.is_some() && secret::equal(current.expose_secret(), form.password.expose_secret()) {
        let error = "This is the password that you have. Choose another one.".to_owned();
        return refuse(Problems {
            new: Some(strength::Refused { error, strength: None }),
            ..Problems::default()
        });
    }

    let hash = app.passwords.hash(password).await?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !users::change_password(&mut tx, session.user_id, stored.as_deref(), &hash, now).await? {
        let whole = Some("Your password was changed elsewhere in the meantime.".to_owned());
        return refuse(Problems { whole, ..Problems::default() });
    }
    if let Some(attempt) = attempt {
        attempt.succeeded(&mut tx).await?;
    }
    sessions::end_others(&mut tx, session.user_id, session.id, now).await?;
    sign_ins::end_all(&mut tx, session.user_id).await?;
    let cookie = session::rename(&app, &mut tx, session.id).await?;
    audit::record(&app, &mut tx, Some(session.user_id), Event::PasswordChanged).await?;
    tx.commit().await?;
    app.session_ended.notify_one();
    let cookies = AppendHeaders([(header::SET_COOKIE, cookie)]);
    Ok((cookies, Toast::PasswordChanged.redirect(&app.site, "/account/security")).into_response())
}

/// Whether it is the current password: counted as log-ins are, as it is guessed like there.
async fn compare(
    app: &App,
    headers: &HeaderMap,
    session: &Session,
    current: &SecretString,
    stored: &str,
) -> Result<Result<throttle::Attempt, Problems>, PageError> {
    let account = Email::parse(&session.email).map(|email| email.normalized).unwrap_or_default();
    let attempt = match throttle::log_in(app, headers, &account).await? {
        Ok(attempt) => attempt,
        Err(wait) => {
            tracing::info!(rule = "throttle", user.id = %session.user_id, "refused a new password: too many attempts");
            refusals::refused("account", "throttle");
            let whole = Some(format!("Too many attempts. Wait {wait}, then try again."));
            return Ok(Err(Problems { whole, retry_after: Some(wait), ..Problems::default() }));
        }
    };
    let verdict = match Password::presented(current) {
        Some(presented) => app.passwords.verify(presented, Some(stored)).await?,
        None => Verdict::Wrong,
    };
    Ok(if verdict == Verdict::Wrong {
        tracing::info!(rule = "password", user.id = %session.user_id, "refused a new password: the current one is wrong");
        refusals::refused("account", "password");
        let failed = Event::LogInFailed { factor: Method::Password.into() };
        audit::record_alone(app, Some(session.user_id), failed).await?;
        Err(Problems { current: Some("This is not your current password."), ..Problems::default() })
    } else {
        Ok(attempt)
    })
}

fn show(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    session: &Session,
    has_password: bool,
    problems: Problems,
) -> Response {
    let status = match &problems {
        Problems { retry_after: Some(_), .. } => StatusCode::TOO_MANY_REQUESTS,
        problems if problems.any() => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let (title, label) = if has_password {
        ("Change your password", "New password")
    } else {
        ("Choose a password", "Password")
    };
    let frame = Frame::new(app, headers, page, session, Section::Security);
    let focus = !has_password || (problems.new.is_some() && problems.current.is_none());
    let new_password = NewPassword { label, refused: problems.new.as_ref(), focus };
    let change = Change { frame: &frame, title, has_password, problems: &problems, new_password };
    let mut response = frame.answer(status, &change);
    if let Some(wait) = problems.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
    }
    response
}
