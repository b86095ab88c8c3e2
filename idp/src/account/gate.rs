//! The gate of every log-in: whatever was proved, here it is decided whether it is enough. Nothing else starts a
//! session.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    pages::Page,
    secret::{self, ExposeSecret, SecretHash},
};

use super::{
    factors::{self, Enrolled, Method, enrolled},
    journey::Journey,
    known_browser, restore, session,
};
use crate::{
    App, audit,
    audit::Event,
    config::EmailVerification,
    email::Email,
    error::PageError,
    refusals,
    store::{
        self, Tx, UserId, Words,
        mail_links::{self, Purpose},
        outbox::{self, Addressee, Letter},
        sign_ins::{self, NewSignIn, SignIn},
        users::{self, User},
    },
};

/// The cookie's purpose.
const COOKIE: &str = "login";
const PREFIX: &str = "lkp_";
/// How long a further factor may take.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How long after a mail with a link who tries to log in gets another one.
const MAIL_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// Somebody has proved who they are by a first factor: `tx`, in which that was spent, is committed here. Starts their
/// session and leads on, or asks for a further factor. `None`: nobody may log in like this.
pub async fn passed(
    app: &App,
    tx: Tx,
    user: UserId,
    method: Method,
    journey: &Journey,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Option<Response>, PageError> {
    arrived(app, tx, Arrival { user, method, auth_time: None, by: Vec::new() }, journey, headers, page).await
}

/// Who comes to the gate, and what brought them here, if that is more than a log-in.
pub struct Arrival {
    pub user: UserId,
    pub method: Method,
    /// When they proved it, if that was not now.
    pub auth_time: Option<DateTime<Utc>>,
    /// Recorded with the log-in: nothing may be in `tx` before, as everybody's next event would wait for all of this.
    pub by: Vec<Event>,
}

/// [`passed`], for who comes with an event.
pub async fn arrived(
    app: &App,
    mut tx: Tx,
    Arrival { user, method, auth_time, by }: Arrival,
    journey: &Journey,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Option<Response>, PageError> {
    let Some(person) = users::find(&mut tx, user).await?.filter(|user| user.may_log_in(app.clock.now()))
    else {
        tracing::info!(rule = "disabled", user.id = %user, "refused a log-in of user {user}");
        refusals::user(user);
        refusals::refused("log-in", "disabled");
        drop(tx);
        audit::record_alone(app, Some(user), Event::LogInFailed { factor: method.into() }).await?;
        return Ok(None);
    };
    if app.config.email_verification == EmailVerification::Required && !person.email_verified {
        return unconfirmed(app, tx, &person, journey).await.map(Some);
    }
    let amr = method.first();
    let auth_time = auth_time.unwrap_or_else(|| app.clock.now());
    let enrolled = enrolled(app, &mut tx, user).await?;
    let enough = !enrolled.demands_second() && !journey.demands_second(app);
    if enough || factors::is_two_factors(&amr) {
        return enter(app, tx, &person, (&amr, auth_time), by, journey, headers).await.map(Some);
    }
    wait(app, tx, user, (&amr, auth_time), by, journey.by(place_of(enrolled)), page).await.map(Some)
}

/// Where the second factor is proved, or set up by who has none.
fn place_of(enrolled: Enrolled) -> &'static str {
    if enrolled.has_second() { "/login/second" } else { "/login/setup" }
}

/// Keeps what was proved by a first factor, and leads on to where the second one is.
async fn wait(
    app: &App,
    mut tx: Tx,
    user: UserId,
    (amr, auth_time): (&Words, DateTime<Utc>),
    by: Vec<Event>,
    next: String,
    page: &Page,
) -> Result<Response, PageError> {
    let token = secret::generate(PREFIX);
    let now = app.clock.now();
    let new = NewSignIn {
        token_hash: &SecretHash::of(token.expose_secret()),
        browser: &page.browser,
        user_id: user,
        amr,
        created_at: auth_time,
        expires_at: now + LIFETIME,
    };
    sign_ins::insert(&mut tx, &new).await?;
    for event in by {
        audit::record(app, &mut tx, Some(user), event).await?;
    }
    tx.commit().await?;
    let cookie = app.site.set_cookie(COOKIE, token.expose_secret(), Some(LIFETIME.num_seconds()));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response())
}

/// The log-in that waits for a further factor at `here`. Whoever is logged in by one factor begins one there without a
/// password, if that was just now (RFC 9470 §4). `Err`: where to go instead.
pub async fn waiting(
    app: &App,
    journey: &Journey,
    here: &'static str,
    headers: &HeaderMap,
    page: &Page,
) -> Result<Result<(SignIn, Enrolled), Response>, PageError> {
    let elsewhere = |place: &str| Ok(Err(Redirect::to(place).into_response()));
    if let Some(sign_in) = pending(app, headers, page).await? {
        let mut conn = app.db.read().await?;
        let enrolled = enrolled(app, &mut conn, sign_in.user_id).await?;
        let place = place_of(enrolled);
        return if place == here { Ok(Ok((sign_in, enrolled))) } else { elsewhere(&journey.by(place)) };
    }
    match session::current(app, headers).await? {
        Some(session) if factors::is_two_factors(&session.amr) => elsewhere(&journey.destination()),
        Some(session) if session::is_recent(app, &session) => {
            let mut tx = app.db.write().await?;
            let place = place_of(enrolled(app, &mut tx, session.user_id).await?);
            wait(
                app,
                tx,
                session.user_id,
                (&session.amr, session.auth_time),
                Vec::new(),
                journey.by(place),
                page,
            )
            .await
            .map(Err)
        }
        _ => elsewhere(&journey.by("/login")),
    }
}

/// Nobody logs in with an address that is not confirmed. They are mailed the link, but not at every try.
async fn unconfirmed(app: &App, mut tx: Tx, person: &User, journey: &Journey) -> Result<Response, PageError> {
    let now = app.clock.now();
    tracing::info!(rule = "unconfirmed address", user.id = %person.id, "refused a log-in of user {}", person.id);
    if !mail_links::is_recent(&mut tx, person.id, Purpose::Confirm, now - MAIL_AGAIN).await? {
        outbox::insert(&mut tx, Addressee::User(person.id), &Letter::Confirm, now).await?;
    }
    tx.commit().await?;
    app.mail_owed.notify_one();
    Ok(Redirect::to(&journey.by("/email/unconfirmed")).into_response())
}

/// The log-in that waits for a further factor in this browser.
pub async fn pending(app: &App, headers: &HeaderMap, page: &Page) -> Result<Option<SignIn>, store::Error> {
    let Some(token) = app.site.cookie(headers, COOKIE).filter(|token| token.starts_with(PREFIX)) else {
        return Ok(None);
    };
    let mut conn = app.db.read().await?;
    sign_ins::find(&mut conn, &SecretHash::of(&token), &page.browser, app.clock.now()).await
}

/// A further factor was right, too; `tx`, in which it was spent, is committed here. `None`: the log-in has ended
/// meanwhile.
pub async fn second(
    app: &App,
    mut tx: Tx,
    sign_in: &SignIn,
    method: Method,
    journey: &Journey,
    headers: &HeaderMap,
) -> Result<Option<Response>, PageError> {
    if !sign_ins::spend(&mut tx, &sign_in.token_hash, app.clock.now()).await? {
        return Ok(None);
    }
    let person = users::find(&mut tx, sign_in.user_id).await?;
    let Some(person) = person.filter(|user| user.may_log_in(app.clock.now())) else { return Ok(None) };
    let amr = method.second(&sign_in.amr);
    let by = match method {
        Method::RecoveryCode => Event::RecoveryCodeUsed,
        method => Event::SecondFactorPassed { factor: method.into() },
    };
    enter(app, tx, &person, (&amr, sign_in.created_at), vec![by], journey, headers).await.map(Some)
}

/// Everything was proved that is demanded.
pub(super) async fn enter(
    app: &App,
    mut tx: Tx,
    person: &User,
    (amr, auth_time): (&Words, DateTime<Utc>),
    by: Vec<Event>,
    journey: &Journey,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    if person.delete_at.is_some() {
        return restore::offer(app, tx, person, amr, journey).await;
    }
    let (id, cookie) = session::start(app, &mut tx, person.id, amr, auth_time, headers).await?;
    let email = Email::parse(&person.email);
    let known =
        email.as_ref().is_some_and(|email| known_browser::id(app, headers, &email.normalized).is_some());
    let new_browser = !known && person.created_at + session::RECENT < app.clock.now();
    let logged_in = Event::LoggedIn { session: id, amr: amr.to_string(), new_browser };
    for event in by.into_iter().chain([logged_in]) {
        audit::record(app, &mut tx, Some(person.id), event).await?;
    }
    tx.commit().await?;
    app.mail_owed.notify_one();
    let mut cookies = vec![(header::SET_COOKIE, cookie)];
    if let Some(email) = email {
        cookies.push((header::SET_COOKIE, known_browser::cookie(app, headers, &email.normalized)));
    }
    cookies.extend(forgotten(app, headers).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((AppendHeaders(cookies), Redirect::to(&journey.destination())).into_response())
}

/// Takes away the cookie of a log-in that waits no longer.
fn forgotten(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    app.site.cookie(headers, COOKIE).map(|_| app.site.set_cookie(COOKIE, "", Some(0)))
}
