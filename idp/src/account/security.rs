//! How somebody's account is protected, at a glance.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platform::pages::Page;

use super::{
    frame::{Frame, Section},
    session,
};
use crate::{App, error::PageError};

const HERE: &str = "/account/security";

#[derive(Template)]
#[template(path = "security.html")]
struct Security<'a> {
    frame: &'a Frame<'a>,
    rows: Vec<Row>,
}

#[allow(dead_code, reason = "each way to log in adds its own")]
/// One way in, or one thing that protects it.
struct Row {
    name: &'static str,
    state: String,
    address: &'static str,
    action: &'static str,
}

/// `GET /account/security`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let rows = Vec::new();
    let frame = Frame::new(&app, &headers, &page, &session, Section::Security);
    Ok(frame.answer(StatusCode::OK, &Security { frame: &frame, rows }))
}
