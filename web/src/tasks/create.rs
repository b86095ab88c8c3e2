//! `POST /tasks`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use platform::pages::Protected;
use serde::Deserialize;
use uuid::Uuid;

use super::{Place, back, form::TaskForm, list};
use crate::{
    App,
    api_client::{ApiClient, Error},
    error::PageError,
    toast::Toast,
    visit::Member,
};

#[derive(Deserialize)]
pub(crate) struct Form {
    title: String,
    #[serde(default)]
    description: String,
    /// Makes a second press, or a retry, the same task.
    key: Uuid,
    #[serde(default)]
    from: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    mut member: Member,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let place = Place::parse(&form.from);
    let key = form.key;
    let form = TaskForm::typed(form.title, form.description, key);
    let mut api = ApiClient { app: &app, session: Arc::clone(&member.session) };
    let created = api.create(&form.draft(), key).await;
    member.session = api.session;
    match created {
        Ok(_) => back(&app, &place, Ok(Toast::Created)),
        Err(Error::Invalid(errors)) => {
            let form = form.refused(&errors);
            list::page(&app, member, &place, form, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        // What was typed stays.
        Err(error @ (Error::Unreachable(_) | Error::Forbidden)) => {
            tracing::warn!(%error, "a task could not be created");
            let refused = matches!(error, Error::Forbidden);
            member.toast = Some(if refused { Toast::Forbidden } else { Toast::Unreachable });
            let status = if refused { StatusCode::FORBIDDEN } else { StatusCode::SERVICE_UNAVAILABLE };
            list::page(&app, member, &place, form, status).await
        }
        Err(error) => Err(error.into()),
    }
}
