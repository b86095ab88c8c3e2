//! The endpoints, one file each; and what they share.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod one;
mod query;
pub(crate) mod replace;
pub(crate) mod update;

use axum::{
    body::Bytes,
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    App,
    error::Problem,
    preconditions::{Preconditions, etag},
    store::tasks::{self, Task, TaskId},
};

/// `{id}` of the path. What is not an id is not the id of any task: 404.
#[derive(Debug)]
pub(crate) struct TaskPath(pub TaskId);

impl<S: Send + Sync> FromRequestParts<S> for TaskPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path =
            RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::no_such_task())?;
        let id = path.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok());
        id.map(|id| Self(TaskId(id))).ok_or_else(Problem::no_such_task)
    }
}

/// A JSON body that nobody may store: it is personal.
fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body.into()).into_response()
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::internal()
    })
}

/// One task, with its entity tag.
fn answer(task: &Task) -> Result<Response, Problem> {
    let mut response = json(StatusCode::OK, to_json(task)?);
    if let Ok(etag) = HeaderValue::try_from(etag(task)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// Changes a task as `edit` says, unless the caller's preconditions forbid it.
async fn change(
    app: &App,
    user_id: &str,
    id: TaskId,
    preconditions: &Preconditions,
    edit: impl Fn(&mut Task) + Send,
) -> Result<Response, Problem> {
    let mut tx = app.db.write().await?;
    // The update names the version that was read. Where another node was faster, read again: each
    // round somebody wins, so this ends.
    loop {
        let Some(mut task) = tasks::find(&mut tx, user_id, id).await? else {
            return Err(Problem::no_such_task());
        };
        if !preconditions.allow(&task) {
            return Err(Problem::precondition_failed());
        }
        edit(&mut task);
        task.updated_at = app.clock.now();
        if let Some(task) = tasks::update(&mut tx, task).await? {
            tx.commit().await?;
            return answer(&task);
        }
    }
}
