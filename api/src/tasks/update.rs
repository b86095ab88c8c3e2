//! `PATCH /api/{user_id}/tasks/{id}`

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

/// What is to change; what is left out stays.
#[derive(Debug, ToSchema)]
pub(crate) struct TaskChange {
    /// White space at either end is cut off.
    #[schema(nullable = false, min_length = 1, max_length = 255, example = "Water all the plants")]
    title: Option<String>,
    /// `null` removes it.
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Option<Option<String>>,
    #[schema(nullable = false)]
    completed: Option<bool>,
}

/// Change some fields of a task
#[utoipa::path(
    patch,
    path = "/api/{user_id}/tasks/{id}",
    tag = "tasks",
    security(("openid" = ["tasks:write"])),
    params(TaskParams, ("If-Match" = Option<String>, Header, description = "An `ETag`: 412 when it is not the task's any more")),
    request_body = TaskChange,
    responses(TaskAnswer, Refusals, NoSuchTask, Changed, BadBody)
)]
pub(crate) async fn patch(
    State(app): State<App>,
    access: Access<Write>,
    TaskPath(id): TaskPath,
    preconditions: Preconditions,
    mut body: Body,
) -> Result<Response, Problem> {
    let wanted =
        TaskChange { title: body.title(), description: body.description(), completed: body.completed() };
    body.finish()?;
    change(&app, &access.user_id, id, &preconditions, |task| {
        if let Some(title) = &wanted.title {
            task.title.clone_from(title);
        }
        if let Some(description) = &wanted.description {
            task.description.clone_from(description);
        }
        if let Some(completed) = wanted.completed {
            task.completed = completed;
        }
    })
    .await
}
