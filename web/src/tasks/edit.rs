//! `GET` and `POST /tasks/{id}/edit`

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use std::sync::Arc;

use platform::pages::Protected;
use serde::Deserialize;
use uuid::Uuid;

use super::{Place, TaskId, back, form::TaskForm};
use crate::{
    App,
    api_client::{ApiClient, Error},
    error::PageError,
    toast::Toast,
    view::{View, respond},
    visit::Member,
};

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage {
    view: View,
    place: Place,
    id: Uuid,
    form: TaskForm,
}

#[derive(Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    from: String,
}

#[derive(Deserialize)]
pub(crate) struct Form {
    title: String,
    #[serde(default)]
    description: String,
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
    let form = TaskForm::of(api.get(id).await?);
    Ok(page(&app, member, id, Place::parse(&from), form, StatusCode::OK))
}

pub(crate) async fn post(
    State(app): State<App>,
    mut member: Member,
    TaskId(id): TaskId,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let place = Place::parse(&form.from);
    let form = TaskForm::typed(form.title, form.description, id);
    let mut api = ApiClient { app: &app, session: Arc::clone(&member.session) };
    match api.edit(id, &form.draft()).await {
        Err(Error::Invalid(errors)) => {
            let form = form.refused(&errors);
            Ok(page(&app, member, id, place, form, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(error @ Error::Unreachable(_)) => {
            tracing::warn!(%error, "a task could not be edited");
            member.toast = Some(Toast::Unreachable);
            Ok(page(&app, member, id, place, form, StatusCode::SERVICE_UNAVAILABLE)) // what was typed stays
        }
        outcome => back(&app, &place, outcome.map(|_| Toast::Saved)),
    }
}

fn page(app: &App, member: Member, id: Uuid, place: Place, form: TaskForm, status: StatusCode) -> Response {
    let view = View::new(app, member.page, Some(&member.session), member.toast);
    respond(app, status, member.toast, &EditPage { view, place, id, form })
}
