//! Linking who somebody is elsewhere to their account here: after they have proved both in this browser, and have
//! said so.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
};
use serde::Deserialize;

use super::{
    arrival::{Arrival, Parameters},
    problem::Problem,
};
use crate::{
    App,
    account::{consent::Answer, session, toast::Toast},
    audit,
    audit::Event,
    email::Email,
    error::PageError,
    refusals,
    store::{sessions::Session, upstream_identities, users},
};

#[derive(Deserialize)]
pub struct Form {
    arrival: String,
    decision: Answer,
}

#[derive(Template)]
#[template(path = "upstream_link.html")]
struct Link<'a> {
    place: &'a Place,
    page: &'a Page,
    session: &'a Session,
    arrival: &'a Arrival<'a>,
}

/// `GET /account/linked/confirm?arrival=<handle>`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(Parameters { arrival }): Query<Parameters>,
) -> Result<Response, PageError> {
    let arrival = Arrival::find(&app, &arrival, &page).await?;
    let session = session::recent(&app, &headers, &arrival.at("/account/linked/confirm")).await?;
    if !may_link(&session, &arrival) {
        return Ok(elsewhere(&app, &arrival));
    }
    let link = Link { place: &app.place, page: &page, session: &session, arrival: &arrival };
    Ok(arrival.journey.page(StatusCode::OK, &link))
}

/// `POST /account/linked/confirm`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let arrival = Arrival::find(&app, &form.arrival, &page).await?;
    let session = session::recent(&app, &headers, &arrival.at("/account/linked/confirm")).await?;
    if !may_link(&session, &arrival) {
        return Ok(elsewhere(&app, &arrival));
    }
    let mut tx = app.db.write().await?;
    arrival.spend(&app, &mut tx, &page).await?;
    if matches!(form.decision, Answer::Deny) {
        tx.commit().await?;
        return Ok(Redirect::to(&destination(&arrival)).into_response());
    }
    if !upstream_identities::insert(&mut tx, session.user_id, &arrival.identity(&app)).await? {
        tracing::info!(rule = "taken", user.id = %session.user_id, "refused to link an identity");
        refusals::refused("log-in", "taken");
        return Ok(arrival.refuse(&app, &Problem::Taken));
    }
    if is_same_address(&session, &arrival) {
        users::confirm_email(&mut tx, session.user_id, app.clock.now()).await?;
    }
    let linked = Event::UpstreamLinked { upstream: arrival.row.upstream.clone() };
    audit::record(&app, &mut tx, Some(session.user_id), linked).await?;
    tx.commit().await?;
    Ok(Toast::UpstreamLinked.redirect(&app.site, &destination(&arrival)))
}

/// Who asked for it, or whose address the provider has proved: nobody else, whoever may be logged in here.
fn may_link(session: &Session, arrival: &Arrival) -> bool {
    match arrival.row.user_id {
        Some(user_id) => user_id == session.user_id,
        None => is_same_address(session, arrival),
    }
}

fn is_same_address(session: &Session, arrival: &Arrival) -> bool {
    let known = Email::parse(&session.email).map(|email| email.normalized);
    known.is_some() && known == arrival.proved_email().map(|email| email.normalized)
}

/// Somebody else is logged in.
fn elsewhere(app: &App, arrival: &Arrival) -> Response {
    match arrival.row.user_id {
        Some(_) => arrival.refuse(app, &Problem::LoggedOut),
        None => Redirect::to(&arrival.at("/login/upstream")).into_response(),
    }
}

fn destination(arrival: &Arrival) -> String {
    match arrival.row.user_id {
        Some(_) => "/account/linked".to_owned(),
        None => arrival.journey.destination(),
    }
}
