//! `PATCH /api/{user_id}/tasks/{id}/complete`

use axum::{extract::State, response::Response};
use utoipa::ToSchema;

use super::{TaskPath, change};
use crate::{
    App,
    bearer::{Access, Write},
    body::Body,
    error::Problem,
    openapi::{BadBody, Changed, NoSuchTask, Refusals, TaskAnswer, TaskParams},
    preconditions::Preconditions,
};

#[derive(Debug, ToSchema)]
pub(crate) struct Completion {
    #[schema(example = true)]
    completed: bool,
}

/// Complete a task, or reopen it
#[utoipa::path(
    patch,
    path = "/api/{user_id}/tasks/{id}/complete",
    tag = "tasks",
    security(("openid" = ["tasks:write"])),
    params(TaskParams, ("If-Match" = Option<String>, Header, description = "An `ETag`: 412 when it is not the task's any more")),
    request_body = Completion,
    responses(TaskAnswer, Refusals, NoSuchTask, Changed, BadBody)
)]
pub(crate) async fn patch(
    State(app): State<App>,
    access: Access<Write>,
    TaskPath(id): TaskPath,
    preconditions: Preconditions,
    mut body: Body,
) -> Result<Response, Problem> {
    body.require("completed");
    // The default is never used: without the member, `finish` refuses.
    let wanted = Completion { completed: body.completed().unwrap_or_default() };
    body.finish()?;
    change(&app, &access.user_id, id, &preconditions, |task| task.completed = wanted.completed).await
}
