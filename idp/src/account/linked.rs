//! The log-ins by other providers that belong to an account.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use platform::pages::{Page, Protected};
use serde::Deserialize;

use super::{
    factors,
    frame::{Frame, Section},
    home::{ago, full, iso},
    journey::Journey,
    session,
    toast::Toast,
    upstream,
};
use crate::{
    App, audit,
    audit::Event,
    error::PageError,
    oauth2::redirect_uri::shown_host,
    refusals,
    store::{
        sessions::Session,
        upstream_identities::{self, UpstreamIdentity},
        users,
    },
    upstream::Provider,
};

pub const HERE: &str = "/account/linked";

#[derive(Deserialize)]
pub struct Add {
    upstream: String,
}

#[derive(Deserialize)]
pub struct Remove {
    issuer: String,
    subject: String,
}

#[derive(Template)]
#[template(path = "linked.html")]
struct Linked<'a> {
    frame: &'a Frame<'a>,
    log_ins: Vec<LogIn>,
    providers: &'a [Provider],
    /// It was asked for, and cannot be.
    refused: bool,
}

/// An identity as its owner sees it.
struct LogIn {
    /// What its provider is called, or where it was.
    name: String,
    identity: UpstreamIdentity,
    last_used: String,
    /// It is not the only way in.
    removable: bool,
}

/// `GET /account/linked`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    show(&app, &page, &headers, &session, StatusCode::OK).await
}

/// `POST /account/linked/add`
pub async fn add(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Add>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let Some(provider) = app.upstream(&form.upstream) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let journey = Journey::Place(HERE.to_owned());
    upstream::start(&app, provider, &page, &journey, Some(session.user_id)).await
}

/// `POST /account/linked/remove`
pub async fn remove(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Remove>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let user = session.user_id;
    let mut tx = app.db.write().await?;
    // Of two ways in that are removed at the same time, the second one may be the last.
    users::lock(&mut tx, user).await?;
    if !upstream_identities::delete(&mut tx, &form.issuer, &form.subject, user).await? {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    if factors::ways_in(&app, &mut tx, user).await? == 0 {
        drop(tx);
        tracing::info!(rule = "last way in", user.id = %user, "refused to unlink a log-in of user {user}");
        refusals::refused("account", "last way in");
        return show(&app, &page, &headers, &session, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let known = app.upstream_of(&form.issuer).map(|provider| provider.settings.id.clone());
    let unlinked = Event::UpstreamUnlinked { upstream: known.unwrap_or(form.issuer) };
    audit::record(&app, &mut tx, Some(user), unlinked).await?;
    tx.commit().await?;
    Ok(Toast::UpstreamUnlinked.redirect(&app.site, HERE))
}

async fn show(
    app: &App,
    page: &Page,
    headers: &HeaderMap,
    session: &Session,
    status: StatusCode,
) -> Result<Response, PageError> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let ways_in = factors::ways_in(app, &mut conn, session.user_id).await?;
    let identities = upstream_identities::list(&mut conn, session.user_id).await?;
    drop(conn);
    let log_ins = identities.into_iter().map(|identity| {
        let provider = app.upstream_of(&identity.issuer);
        LogIn {
            name: provider.map_or_else(|| shown_host(&identity.issuer), |known| known.settings.name.clone()),
            last_used: ago(now - identity.last_used_at),
            removable: provider.is_none() || ways_in > 1,
            identity,
        }
    });
    let frame = Frame::new(app, headers, page, session, Section::Security);
    let linked = Linked {
        frame: &frame,
        log_ins: log_ins.collect(),
        providers: &app.upstreams,
        refused: status != StatusCode::OK,
    };
    Ok(frame.answer(status, &linked))
}
