//! `GET /api/{user_id}/tasks/{id}`

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{TaskPath, answer};
use crate::{
    App,
    bearer::{Access, Read},
    error::Problem,
    openapi::{NoSuchTask, Refusals, TaskAnswer, TaskParams},
    preconditions::{Preconditions, etag},
    store::tasks,
};

/// One task
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks/{id}",
    tag = "tasks",
    security(("openid" = ["tasks:read"])),
    params(TaskParams, ("If-None-Match" = Option<String>, Header, description = "An `ETag`: 304 when it is still the task's")),
    responses(TaskAnswer, (status = NOT_MODIFIED, description = "The task is as the `ETag` says"), Refusals, NoSuchTask)
)]
pub(crate) async fn get(
    State(app): State<App>,
    access: Access<Read>,
    TaskPath(id): TaskPath,
    preconditions: Preconditions,
) -> Result<Response, Problem> {
    let mut conn = app.db.read().await?;
    let task = tasks::find(&mut conn, &access.user_id, id).await?.ok_or_else(Problem::no_such_task)?;
    if !preconditions.has_current(&task) {
        return answer(&task);
    }
    let etag = HeaderValue::try_from(etag(&task)).map_err(|_| Problem::internal())?;
    let no_store = HeaderValue::from_static("no-store");
    Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag), (header::CACHE_CONTROL, no_store)]).into_response())
}
