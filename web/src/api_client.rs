//! The task API's client: the only code that calls it.

mod challenge;

use std::{path::Path, sync::Arc, time::Duration};

use axum::http::{Method, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{db, tls};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    App,
    oidc::{self, refresh},
    session::Session,
};

pub(crate) use challenge::Challenge;

/// The largest answer that is read, in bytes: some hundred tasks of the largest size.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// How long to wait before asking again after a network fault.
const RETRY_AFTER: Duration = Duration::from_millis(150);

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) completed: bool,
    pub(crate) created_at: DateTime<Utc>,
}

/// What a person writes of a task.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Draft {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection<'a> {
    pub(crate) completed: Option<bool>,
    pub(crate) search: &'a str,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<String>,
}

impl Selection<'_> {
    fn path(&self) -> String {
        let mut path = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        path.append_pair("limit", &self.limit.to_string());
        if let Some(completed) = self.completed {
            path.append_pair("completed", &completed.to_string());
        }
        if let Some(cursor) = &self.cursor {
            path.append_pair("cursor", cursor);
        }
        if !self.search.is_empty() {
            path.append_pair("q", self.search);
        }
        path.finish()
    }
}

/// A part of a list, and the cursor of the next part.
#[derive(Debug)]
pub(crate) struct Tasks {
    pub(crate) tasks: Vec<Task>,
    pub(crate) next: Option<String>,
}

/// One thing that is wrong with a draft.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FieldError {
    pub(crate) field: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the session has ended")]
    SessionEnded,
    #[error("the identity provider: {0}")]
    Provider(oidc::Unavailable),
    #[error("the database: {0}")]
    Database(db::Error),
    #[error("the person has to log in anew: {0:?}")]
    StepUp(Challenge),
    #[error("403: not allowed")]
    Forbidden,
    #[error("404: no such task")]
    NotFound,
    #[error("422: {0:?}")]
    Invalid(Vec<FieldError>),
    #[error("no answer: {0}")]
    Unreachable(String),
}

impl From<refresh::Error> for Error {
    fn from(error: refresh::Error) -> Self {
        match error {
            refresh::Error::SessionEnded => Self::SessionEnded,
            refresh::Error::Provider(error) => Self::Provider(error),
            refresh::Error::Database(error) => Self::Database(error),
        }
    }
}

/// Calls the API as the person of a session.
pub(crate) struct ApiClient<'a> {
    pub(crate) app: &'a App,
    pub(crate) session: Arc<Session>,
}

/// What to ask of the API. Every call may be sent twice: it is idempotent by method or by key.
struct Call<'a> {
    method: Method,
    /// What follows `/api/me/tasks`.
    path: &'a str,
    body: Option<Value>,
    idempotency_key: Option<Uuid>,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, body: None, idempotency_key: None }
    }
}

impl ApiClient<'_> {
    pub(crate) async fn list(&mut self, selection: &Selection<'_>) -> Result<Tasks, Error> {
        let answer = self.send(&Call::new(Method::GET, &selection.path())).await?;
        let next = answer.headers().get(header::LINK).and_then(|link| next_cursor(link.to_str().ok()?));
        Ok(Tasks { tasks: read(answer).await?, next })
    }

    pub(crate) async fn get(&mut self, id: Uuid) -> Result<Task, Error> {
        read(self.send(&Call::new(Method::GET, &format!("/{id}"))).await?).await
    }

    /// The same `key` makes the same task, however often it is sent.
    pub(crate) async fn create(&mut self, draft: &Draft, key: Uuid) -> Result<Task, Error> {
        let call =
            Call { body: Some(json!(draft)), idempotency_key: Some(key), ..Call::new(Method::POST, "") };
        read(self.send(&call).await?).await
    }

    pub(crate) async fn edit(&mut self, id: Uuid, draft: &Draft) -> Result<Task, Error> {
        let path = format!("/{id}");
        read(self.send(&Call { body: Some(json!(draft)), ..Call::new(Method::PATCH, &path) }).await?).await
    }

    pub(crate) async fn complete(&mut self, id: Uuid, completed: bool) -> Result<Task, Error> {
        let path = format!("/{id}/complete");
        let body = Some(json!({ "completed": completed }));
        read(self.send(&Call { body, ..Call::new(Method::PATCH, &path) }).await?).await
    }

    pub(crate) async fn delete(&mut self, id: Uuid) -> Result<(), Error> {
        self.send(&Call::new(Method::DELETE, &format!("/{id}"))).await.map(drop)
    }

    /// Sends with a good token; a 401 leads to one new token and one more try.
    async fn send(&mut self, call: &Call<'_>) -> Result<reqwest::Response, Error> {
        self.session = refresh::when_due(self.app, Arc::clone(&self.session)).await?;
        let answer = self.send_with_retry(call).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return judge(answer).await;
        }
        if let Some(challenge) = Challenge::read(answer.headers()) {
            return Err(self.step_up(challenge));
        }
        self.session = refresh::now(self.app, Arc::clone(&self.session)).await?;
        let answer = self.send_with_retry(call).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return judge(answer).await;
        }
        if let Some(challenge) = Challenge::read(answer.headers()) {
            return Err(self.step_up(challenge));
        }
        if self.is_young() {
            return Err(Error::Unreachable("it refuses new tokens; compare issuer and audience".into()));
        }
        self.session.end(self.app).await.map_err(Error::Database)?;
        Err(Error::SessionEnded)
    }

    /// RFC 9470: another log-in may do, unless the one that there is should have done.
    fn step_up(&self, challenge: Challenge) -> Error {
        let max_age = challenge.max_age.as_ref().and_then(|text| text.parse().ok());
        let authentication = oidc::Authentication::of(&self.session.content.id_token);
        let meets = authentication.meets(max_age, challenge.acr_values.as_deref(), self.app.clock.now());
        if meets && self.is_young() { Error::Forbidden } else { Error::StepUp(challenge) }
    }

    /// A session that is this young would be followed by another that is refused too, for ever.
    fn is_young(&self) -> bool {
        self.app.clock.now() < self.session.created_at + TimeDelta::minutes(1)
    }

    async fn send_with_retry(&self, call: &Call<'_>) -> Result<reqwest::Response, Error> {
        match self.send_once(call).await {
            Ok(answer) if !answer.status().is_server_error() => return Ok(answer),
            Ok(answer) => {
                tracing::info!(status = answer.status().as_u16(), "the task API failed; asking again")
            }
            Err(error) => tracing::info!(%error, "the task API does not answer; asking again"),
        }
        tokio::time::sleep(RETRY_AFTER).await;
        self.send_once(call).await.map_err(|error| Error::Unreachable(error.to_string()))
    }

    async fn send_once(&self, call: &Call<'_>) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/api/me/tasks{}", self.app.config.api_url, call.path);
        let mut request =
            self.app.http.request(call.method.clone(), url).bearer_auth(&self.session.content.access_token);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("Idempotency-Key", key.to_string());
        }
        request.send().await
    }
}

/// The HTTP client for the API.
pub(crate) fn http(ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none()) // a bearer token goes nowhere else
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(5));
    tls::trusting(client, ca_file)?.build().map_err(|error| error.to_string())
}

async fn judge(answer: reqwest::Response) -> Result<reqwest::Response, Error> {
    #[derive(Deserialize)]
    struct Problem {
        #[serde(default)]
        errors: Vec<FieldError>,
    }
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::FORBIDDEN => Err(Error::Forbidden),
        StatusCode::NOT_FOUND => Err(Error::NotFound),
        StatusCode::UNPROCESSABLE_ENTITY => Err(Error::Invalid(read::<Problem>(answer).await?.errors)),
        status => Err(Error::Unreachable(format!("status {}", status.as_u16()))),
    }
}

async fn read<T: DeserializeOwned>(mut answer: reqwest::Response) -> Result<T, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Error::Unreachable(error.to_string()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::Unreachable("its answer is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| Error::Unreachable(format!("unreadable answer: {error}")))
}

/// The `cursor` of `<…?cursor=…>; rel="next"` (RFC 8288). Only the cursor: the URL is never followed.
fn next_cursor(link: &str) -> Option<String> {
    let next = link.split(',').find(|link| link.contains(r#"rel="next""#))?;
    let (_, query) = next.split_once('?')?;
    let query = query.split('>').next()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "cursor")
        .map(|(_, cursor)| cursor.into_owned())
}

#[cfg(test)]
mod tests {
    use super::next_cursor;

    #[test]
    fn the_cursor_is_read_from_the_link() {
        let link = r#"<http://localhost:8000/api/me/tasks?limit=2&cursor=a%2Bb>; rel="next""#;
        assert_eq!(next_cursor(link).as_deref(), Some("a+b"));
        assert_eq!(
            next_cursor(r#"</x?cursor=1>; rel="prev", </x?cursor=2>; rel="next""#).as_deref(),
            Some("2")
        );
        assert_eq!(next_cursor(r#"</x?cursor=1>; rel="prev""#), None);
        assert_eq!(next_cursor(""), None);
    }
}
