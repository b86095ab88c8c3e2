//! `DELETE /api/{user_id}/tasks/{id}`

use axum::{extract::State, http::StatusCode};

use super::TaskPath;
use crate::{
    App,
    bearer::{Access, Write},
    error::Problem,
    openapi::{Changed, NoSuchTask, Refusals, TaskParams},
    preconditions::Preconditions,
    store::tasks,
};

/// Delete a task
#[utoipa::path(
    delete,
    path = "/api/{user_id}/tasks/{id}",
    tag = "tasks",
    security(("openid" = ["tasks:write"])),
    params(TaskParams, ("If-Match" = Option<String>, Header, description = "An `ETag`: 412 when it is not the task's any more")),
    responses((status = NO_CONTENT, description = "The task is gone"), Refusals, NoSuchTask, Changed)
)]
pub(crate) async fn delete(
    State(app): State<App>,
    access: Access<Write>,
    TaskPath(id): TaskPath,
    preconditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let mut tx = app.db.write().await?;
    // As in `change`: where another node was faster, the preconditions are asked again.
    loop {
        let Some(task) = tasks::find(&mut tx, &access.user_id, id).await? else {
            return Err(Problem::no_such_task());
        };
        if !preconditions.allow(&task) {
            return Err(Problem::precondition_failed());
        }
        if tasks::delete(&mut tx, &task).await? {
            tx.commit().await?;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}
