//! `GET /`: what this place is, and the way in.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    App,
    view::{View, respond},
    visit::Visit,
};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    view: View,
}

pub(crate) async fn get(State(app): State<App>, visit: Visit) -> Response {
    let view = View::new(&app, visit.page, visit.session.as_ref(), visit.toast);
    respond(&app, StatusCode::OK, visit.toast, &Home { view })
}
