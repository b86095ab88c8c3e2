//! How somebody's account is protected, at a glance.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platform::pages::Page;

use super::{
    factors,
    frame::{Frame, Section},
    linked, session,
};
use crate::{
    App,
    error::PageError,
    store::{Conn, Error, UserId, passkeys, recovery_codes, upstream_identities, users},
};

pub const HERE: &str = "/account/security";

#[derive(Template)]
#[template(path = "security.html")]
struct Security<'a> {
    frame: &'a Frame<'a>,
    rows: Vec<Row>,
}

/// One way in, or one thing that protects it.
pub(super) struct Row {
    pub name: &'static str,
    pub state: String,
    address: &'static str,
    action: &'static str,
}

/// `GET /account/security`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let rows = rows(&app, &mut conn, session.user_id).await?;
    drop(conn);
    let frame = Frame::new(&app, &headers, &page, &session, Section::Security);
    Ok(frame.answer(StatusCode::OK, &Security { frame: &frame, rows }))
}

/// Each way to log in has its own.
pub(super) async fn rows(app: &App, conn: &mut Conn, user_id: UserId) -> Result<Vec<Row>, Error> {
    let has_password = users::find_password(conn, user_id).await?.is_some();
    let (state, action) = if has_password { ("Set", "Change") } else { ("You have none", "Choose one") };
    let password = Row { name: "Password", state: state.to_owned(), address: "/account/password", action };
    let email = users::find(conn, user_id).await?.map(|person| {
        let state = if person.email_verified { "confirmed" } else { "not confirmed" };
        let state = format!("{}, {state}", person.email);
        Row { name: "E-mail address", state, address: "/account/email", action: "Change" }
    });
    let mut rows: Vec<Row> = email.into_iter().chain([password]).collect();
    if app.passkeys.is_some() {
        let count = passkeys::list(conn, user_id).await?.len();
        let state = match count {
            0 => "None yet".to_owned(),
            1 => "1 passkey".to_owned(),
            more => format!("{more} passkeys"),
        };
        let action = if count == 0 { "Add" } else { "Change" };
        rows.push(Row { name: "Passkeys", state, address: "/account/passkeys", action });
    }
    let enrolled = factors::enrolled(app, conn, user_id).await?;
    let (state, action) = if enrolled.totp { ("On", "Change") } else { ("Off", "Set up") };
    rows.push(Row { name: "Authenticator app", state: state.to_owned(), address: "/account/totp", action });
    if enrolled.has_second() {
        rows.push(Row {
            name: "Recovery codes",
            state: format!("{} left", recovery_codes::count(conn, user_id).await?),
            address: "/account/recovery-codes",
            action: "Make new ones",
        });
    }
    let identities = upstream_identities::list(conn, user_id).await?;
    if !app.upstreams.is_empty() || !identities.is_empty() {
        let state = match identities.len() {
            0 => "None".to_owned(),
            linked => format!("{linked} linked"),
        };
        rows.push(Row { name: "Log-in by other providers", state, address: linked::HERE, action: "Manage" });
    }
    Ok(rows)
}
