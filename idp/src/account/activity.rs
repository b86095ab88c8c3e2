//! What happened to somebody's account, for their own eyes.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use platform::pages::Page;
use serde::Deserialize;

use super::{
    frame::{Frame, Section},
    home::{ago, full, iso},
    session,
    user_agent::UserAgent,
};
use crate::{
    App,
    error::PageError,
    store::audit_events::{self, Listed, Wanted},
};

const HERE: &str = "/account/activity";
/// How many events are shown at a time.
const PAGE: usize = 50;

#[derive(Deserialize)]
pub struct Parameters {
    /// The last event of the page before; what is none is as if it was not there.
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "activity.html")]
struct Activity<'a> {
    frame: &'a Frame<'a>,
    acts: Vec<Act>,
    newest: bool,
    /// Where the older ones are.
    older: Option<i64>,
}

/// An event, as people see it.
struct Act {
    words: String,
    failed: bool,
    at: DateTime<Utc>,
    ago: String,
    /// Neither, for what operators did.
    address: Option<String>,
    user_agent: Option<UserAgent>,
}

/// `GET /account/activity[?before=<event>]`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(Parameters { before }): Query<Parameters>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let before = before.and_then(|before| before.parse().ok());
    let mut conn = app.db.read().await?;
    let wanted = Wanted { before, ..Wanted::default() };
    // One more than is shown says whether there are more.
    let mut events = audit_events::search_of(&mut conn, session.user_id, &wanted, PAGE as i64 + 1).await?;
    drop(conn);
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let older = events.last().filter(|_| more).map(|last| last.event.seq);
    let now = app.clock.now();
    let act = |listed: Listed| Act {
        words: listed.words(),
        failed: listed.event.outcome == "failure",
        ago: ago(now - listed.event.at),
        at: listed.event.at,
        user_agent: listed.event.user_agent.as_deref().map(UserAgent::parse),
        address: listed.event.address,
    };
    let acts = events.into_iter().map(act).collect();
    let frame = Frame::new(&app, &headers, &page, &session, Section::Activity);
    let activity = Activity { frame: &frame, acts, newest: before.is_none(), older };
    Ok(frame.answer(StatusCode::OK, &activity))
}
