//! `POST /api/{user_id}/tasks`, once per `Idempotency-Key`.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use platform::db;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{json, to_json};
use crate::{
    App, IDEMPOTENCY_KEY_LIFETIME,
    bearer::{Access, Write},
    body::Body,
    error::{FieldError, Problem},
    openapi::{BadBody, Refusals, UserParams},
    store::{
        idempotency_keys::{self, Keyed},
        tasks::{self, Task, TaskId},
    },
};

pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY: usize = 255;
/// What every new task's entity tag is.
const FIRST_VERSION: i64 = 1;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewTask {
    /// White space at either end is cut off.
    #[schema(min_length = 1, max_length = 255, example = "Water the plants")]
    pub title: String,
    #[schema(max_length = 1024, example = "The fern, too")]
    pub description: Option<String>,
    #[schema(required = false, default = false)]
    pub completed: bool,
}

impl NewTask {
    pub(super) fn read(mut body: Body) -> Result<Self, Problem> {
        body.require("title");
        let new = Self {
            // The default is never used: without the member, `finish` refuses.
            title: body.title().unwrap_or_default(),
            description: body.description().flatten(),
            completed: body.completed().unwrap_or_default(),
        };
        body.finish().map(|()| new)
    }
}

/// Add a task
#[utoipa::path(
    post,
    path = "/api/{user_id}/tasks",
    tag = "tasks",
    security(("openid" = ["tasks:write"])),
    params(
        UserParams,
        ("Idempotency-Key" = Option<String>, Header, description = "A value of your own, 1 to 255 visible ASCII characters. A retry with the same key and body within 24 hours makes no second task and gets the first answer; with another body it is refused (422)."),
    ),
    request_body = NewTask,
    responses(
        (
            status = CREATED,
            description = "The task, as it is stored",
            body = Task,
            headers(
                ("Location" = String, description = "The task's URL"),
                ("ETag" = String, description = "For `If-Match` and `If-None-Match`"),
            )
        ),
        Refusals,
        BadBody,
    )
)]
pub(crate) async fn post(
    State(app): State<App>,
    access: Access<Write>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let new = NewTask::read(body)?;
    let request_hash = Sha256::digest(to_json(&new)?);

    let now = app.clock.now();
    let task = Task {
        id: TaskId(Uuid::now_v7()),
        user_id: access.user_id,
        title: new.title,
        description: new.description,
        completed: new.completed,
        created_at: now,
        updated_at: now,
        version: FIRST_VERSION,
    };
    let body = to_json(&task)?;

    let mut tx = app.db.write().await?;
    if let Some(key) = key {
        let keyed = Keyed { user_id: &task.user_id, idempotency_key: key, request_hash: &request_hash };
        let response = String::from_utf8_lossy(&body);
        let expires_at = now + IDEMPOTENCY_KEY_LIFETIME;
        if !idempotency_keys::insert(&mut tx, keyed, &response, now, expires_at).await? {
            return replay(&app, tx, keyed).await;
        }
    }
    tasks::insert(&mut tx, &task).await?;
    tx.commit().await?;
    created(&app, task.id, body)
}

/// The answer that the key's first request got, if this one asks for the same.
async fn replay(app: &App, mut tx: db::Tx, keyed: Keyed<'_>) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    struct Made {
        id: TaskId,
    }
    let found = idempotency_keys::find(&mut tx, keyed.user_id, keyed.idempotency_key).await?;
    // Only a sweep in this very moment could have removed it.
    let (request_hash, response) = found.ok_or_else(Problem::internal)?;
    // What was read may be waiting for its commit: it is told only when that is durable.
    tx.commit().await?;
    if request_hash != keyed.request_hash {
        let detail = "was used for another request";
        let field = "Idempotency-Key".to_owned();
        return Err(Problem::fields(vec![FieldError { field, detail: detail.into() }]));
    }
    let made: Made = serde_json::from_str(&response).map_err(|_| Problem::internal())?;
    created(app, made.id, response.into_bytes())
}

fn created(app: &App, id: TaskId, body: Vec<u8>) -> Result<Response, Problem> {
    let location = format!("{}/api/me/tasks/{}", app.config.public_url, id.0);
    let mut response = json(StatusCode::CREATED, body);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::try_from(location).map_err(|_| Problem::internal())?);
    let etag = HeaderValue::try_from(format!("\"{FIRST_VERSION}\"")).map_err(|_| Problem::internal())?;
    headers.insert(header::ETAG, etag);
    Ok(response)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    match key {
        Some(key) if values.next().is_none() => Ok(Some(key)),
        _ => {
            let detail = "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters.";
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}
