//! Where somebody is logged in, and logging out there from here.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use platform::pages::{Page, Protected};
use serde::Deserialize;

use super::{
    frame::{Frame, Section},
    home::{ago, full, iso},
    session,
    toast::Toast,
    user_agent::UserAgent,
};
use crate::{
    App,
    audit::{self, Event},
    error::PageError,
    store::{
        SessionId,
        sessions::{self, Live},
    },
};

const HERE: &str = "/account/sessions";

#[derive(Deserialize)]
pub struct Form {
    id: SessionId,
}

/// A button that says everything.
#[derive(Deserialize)]
pub struct Pressed {}

#[derive(Template)]
#[template(path = "sessions.html")]
struct Sessions<'a> {
    frame: &'a Frame<'a>,
    devices: Vec<Device>,
}

/// A session, as people see it.
struct Device {
    id: SessionId,
    user_agent: UserAgent,
    address: String,
    begun_at: DateTime<Utc>,
    begun: String,
    seen_at: DateTime<Utc>,
    seen: String,
    /// It is this browser's.
    here: bool,
}

/// `GET /account/sessions`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let moment = app.moment();
    let mut conn = app.db.read().await?;
    let live = sessions::list_live(&mut conn, session.user_id, moment).await?;
    drop(conn);
    let device = |live: Live| Device {
        user_agent: UserAgent::parse(&live.user_agent),
        begun: ago(moment.now - live.created_at),
        begun_at: live.created_at,
        seen: ago(moment.now - live.last_seen_at),
        seen_at: live.last_seen_at,
        here: live.id == session.id,
        address: live.address,
        id: live.id,
    };
    let mut devices: Vec<Device> = live.into_iter().map(device).collect();
    devices.sort_by_key(|device| !device.here);
    let frame = Frame::new(&app, &headers, &page, &session, Section::Devices);
    Ok(frame.answer(StatusCode::OK, &Sessions { frame: &frame, devices }))
}

/// `POST /account/sessions/end`: one of one's own.
pub async fn end(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Form { id }): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    if !sessions::end_own(&mut tx, session.user_id, id, app.clock.now()).await? {
        return Err(PageError::NotFound);
    }
    audit::record(&app, &mut tx, Some(session.user_id), Event::SessionEnded { session: id }).await?;
    tx.commit().await?;
    app.session_ended.notify_one();
    Ok(Toast::SessionEnded.redirect(&app.site, HERE))
}

/// `POST /account/sessions/end-others`
pub async fn end_others(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Pressed {}): Protected<Pressed>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    sessions::end_others(&mut tx, session.user_id, session.id, app.clock.now()).await?;
    audit::record(&app, &mut tx, Some(session.user_id), Event::OtherSessionsEnded).await?;
    tx.commit().await?;
    app.session_ended.notify_one();
    Ok(Toast::OtherSessionsEnded.redirect(&app.site, HERE))
}
