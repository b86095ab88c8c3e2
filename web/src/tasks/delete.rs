//! `GET` and `POST /tasks/{id}/delete`: asks once, then deletes.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use std::sync::Arc;

use platform::pages::Protected;
use serde::Deserialize;

use super::{Place, TaskId, back};
use crate::{
    App,
    api_client::{ApiClient, Task},
    error::PageError,
    toast::Toast,
    view::{View, respond},
    visit::Member,
};

#[derive(Template)]
#[template(path = "delete.html")]
struct DeletePage {
    view: View,
    place: Place,
    task: Task,
}

#[derive(Default, Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    from: String,
}

pub(crate) async fn get(
    State(app): State<App>,
    member: Member,
    TaskId(id): TaskId,
    Query(From { from }): Query<From>,
) -> Result<Response, PageError> {
    let mut api = ApiClient { app: &app, session: Arc::clone(&member.session) };
    let task = api.get(id).await?;
    let view = View::new(&app, member.page, Some(&member.session), member.toast);
    let template = DeletePage { view, place: Place::parse(&from), task };
    Ok(respond(&app, StatusCode::OK, member.toast, &template))
}

pub(crate) async fn post(
    State(app): State<App>,
    member: Member,
    TaskId(id): TaskId,
    Protected(From { from }): Protected<From>,
) -> Result<Response, PageError> {
    let mut api = ApiClient { app: &app, session: member.session };
    let outcome = api.delete(id).await.map(|()| Toast::Deleted);
    back(&app, &Place::parse(&from), outcome)
}
