//! Who has come from another provider and is nobody here yet. Kept on the server, bound to the browser, until the
//! person has made an account, or has logged in to theirs and said that it shall be linked.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use platform::{
    pages::{Page, render},
    place::Place,
    secret::{self, ExposeSecret, SecretHash},
};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::{
    Visit, onward,
    problem::{self, Problem},
};
use crate::{
    App,
    account::{
        journey::{Carried, Journey, log_in_for},
        session,
    },
    email::Email,
    error::PageError,
    refusals,
    store::{
        Tx,
        sessions::Session,
        upstream_arrivals::{self, UpstreamArrival},
        upstream_identities::UpstreamIdentity,
        upstream_sign_ins::UpstreamSignIn,
        users,
    },
    upstream::{Person, Provider},
};

const HANDLE: &str = "lka_";
/// How long somebody may take, a forgotten password included.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// What the pages of an arrival carry.
#[derive(Deserialize)]
pub struct Parameters {
    pub arrival: String,
}

/// Somebody who waits.
pub struct Arrival<'a> {
    /// Names it in addresses and forms. Worth nothing in another browser.
    pub handle: String,
    pub provider: &'a Provider,
    pub journey: Journey,
    pub row: UpstreamArrival,
}

/// Keeps who has come, and sends them where they decide.
pub async fn receive(
    visit: &Visit<'_>,
    subject: String,
    person: Person,
    sign_in: &UpstreamSignIn,
) -> Result<Response, PageError> {
    let Visit { app, provider, .. } = visit;
    let now = app.clock.now();
    let place = match (sign_in.user_id, &person.email) {
        (Some(_), _) => "/account/linked/confirm",
        (None, Some(email)) if person.email_verified && is_taken(app, email).await? => "/login/upstream",
        _ if provider.allows_sign_up(app) => "/signup/upstream",
        _ => {
            tracing::info!(rule = "sign-up closed", "refused a log-in by {}", provider.settings.id);
            refusals::refused("log-in", "sign-up closed");
            return Ok(visit.refuse(&Problem::NoAccount));
        }
    };
    let row = UpstreamArrival {
        upstream: provider.settings.id.clone(),
        issuer: provider.settings.issuer().to_owned(),
        subject,
        name: person.name,
        email: person.email.map(|email| email.typed),
        email_verified: person.email_verified,
        journey: sign_in.journey.clone(),
        user_id: sign_in.user_id,
        expires_at: now + PATIENCE,
    };
    let handle = secret::generate(HANDLE);
    let mut tx = app.db.write().await?;
    let hash = SecretHash::of(handle.expose_secret());
    upstream_arrivals::insert(&mut tx, &hash, &visit.page.browser, &row).await?;
    tx.commit().await?;
    Ok(onward::instead_of(app, Redirect::to(&by(place, handle.expose_secret()))))
}

/// Whether somebody here has this address.
pub async fn is_taken(app: &App, email: &Email) -> Result<bool, PageError> {
    let mut conn = app.db.read().await?;
    Ok(users::find_by_email(&mut conn, &email.normalized).await?.is_some())
}

fn by(path: &str, handle: &str) -> String {
    let handle: String = byte_serialize(handle.as_bytes()).collect();
    format!("{path}?arrival={handle}")
}

impl<'a> Arrival<'a> {
    pub async fn find(app: &'a App, handle: &str, page: &Page) -> Result<Self, PageError> {
        let mut conn = app.db.read().await?;
        let hash = SecretHash::of(handle);
        let row = upstream_arrivals::find(&mut conn, &hash, &page.browser, app.clock.now()).await?;
        drop(conn);
        let row = row.ok_or(PageError::Gone)?;
        let provider = app.upstream(&row.upstream).ok_or(PageError::Gone)?;
        let journey = Journey::find(app, &Carried::kept(&row.journey), page).await?;
        Ok(Self { handle: handle.to_owned(), provider, journey, row })
    }

    /// A page of this arrival's.
    pub fn at(&self, path: &str) -> String {
        by(path, &self.handle)
    }

    /// The address that the provider has proved to be theirs.
    pub fn proved_email(&self) -> Option<Email> {
        self.row.email.as_deref().filter(|_| self.row.email_verified).and_then(Email::parse)
    }

    /// What the person is known by there.
    pub fn label(&self) -> &str {
        let UpstreamArrival { email, name, subject, .. } = &self.row;
        let name = Some(name.as_str()).filter(|name| !name.is_empty());
        email.as_deref().or(name).unwrap_or(subject)
    }

    pub fn identity(&self, app: &App) -> UpstreamIdentity {
        let now = app.clock.now();
        UpstreamIdentity {
            issuer: self.row.issuer.clone(),
            subject: self.row.subject.clone(),
            label: self.label().to_owned(),
            created_at: now,
            last_used_at: now,
        }
    }

    /// Ends the wait; fails when somebody was faster.
    pub async fn spend(&self, app: &App, tx: &mut Tx, page: &Page) -> Result<(), PageError> {
        let hash = SecretHash::of(&self.handle);
        let spent = upstream_arrivals::spend(tx, &hash, &page.browser, app.clock.now()).await?;
        if spent { Ok(()) } else { Err(PageError::Gone) }
    }

    pub fn refuse(&self, app: &App, problem: &Problem) -> Response {
        problem::page(app, self.provider, Some(&self.journey), problem)
    }
}

#[derive(Template)]
#[template(path = "upstream_known.html")]
struct Known<'a> {
    place: &'a Place,
    page: &'a Page,
    name: &'a str,
    email: &'a str,
    log_in: String,
    /// Somebody else is logged in.
    session: Option<&'a Session>,
}

/// `GET /login/upstream?arrival=<handle>`: an account has the address that was proved. It is not theirs because of that:
/// they log in to it first.
pub async fn known(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(Parameters { arrival }): Query<Parameters>,
) -> Result<Response, PageError> {
    let arrival = Arrival::find(&app, &arrival, &page).await?;
    let email = arrival.proved_email().ok_or(PageError::Gone)?;
    let confirm = arrival.at("/account/linked/confirm");
    let session = session::current(&app, &headers).await?;
    let is_theirs = |email: &Email, typed: &str| {
        Email::parse(typed).is_some_and(|known| known.normalized == email.normalized)
    };
    if session.as_ref().is_some_and(|session| is_theirs(&email, &session.email)) {
        return Ok(Redirect::to(&confirm).into_response());
    }
    let known = Known {
        place: &app.place,
        page: &page,
        name: &arrival.provider.settings.name,
        email: &email.typed,
        log_in: log_in_for(&confirm),
        session: session.as_ref(),
    };
    Ok(render(known.render()))
}
