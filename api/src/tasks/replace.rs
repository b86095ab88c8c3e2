//! `PUT /api/{user_id}/tasks/{id}`

use axum::{extract::State, response::Response};

use super::{TaskPath, change, create::NewTask};
use crate::{
    App,
    bearer::{Access, Write},
    body::Body,
    error::Problem,
    openapi::{BadBody, Changed, NoSuchTask, Refusals, TaskAnswer, TaskParams},
    preconditions::Preconditions,
};

/// Replace a task
///
/// What is left out gets the value that a new task has: no description, not completed.
#[utoipa::path(
    put,
    path = "/api/{user_id}/tasks/{id}",
    tag = "tasks",
    security(("openid" = ["tasks:write"])),
    params(TaskParams, ("If-Match" = Option<String>, Header, description = "An `ETag`: 412 when it is not the task's any more")),
    request_body = NewTask,
    responses(TaskAnswer, Refusals, NoSuchTask, Changed, BadBody)
)]
pub(crate) async fn put(
    State(app): State<App>,
    access: Access<Write>,
    TaskPath(id): TaskPath,
    preconditions: Preconditions,
    body: Body,
) -> Result<Response, Problem> {
    let new = NewTask::read(body)?;
    change(&app, &access.user_id, id, &preconditions, |task| {
        task.title.clone_from(&new.title);
        task.description.clone_from(&new.description);
        task.completed = new.completed;
    })
    .await
}
