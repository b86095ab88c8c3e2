//! `POST /tasks/{id}/complete`

use axum::{extract::State, response::Response};
use platform::pages::Protected;
use serde::Deserialize;

use super::{Place, TaskId, back};
use crate::{App, api_client::ApiClient, error::PageError, toast::Toast, visit::Member};

#[derive(Deserialize)]
pub(crate) struct Form {
    completed: bool,
    #[serde(default)]
    from: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    member: Member,
    TaskId(id): TaskId,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let mut api = ApiClient { app: &app, session: member.session };
    let toast = if form.completed { Toast::Completed } else { Toast::Reopened };
    let outcome = api.complete(id, form.completed).await.map(|_| toast);
    back(&app, &Place::parse(&form.from), outcome)
}
