//! A task API in memory, which believes every token that it was not told to refuse.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, patch},
};
use platform::testing::{TestServer, serve};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) struct FakeApi {
    pub(crate) url: String,
    pub(crate) state: Api,
    _server: TestServer,
}

#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Known>>);

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) tasks: Vec<Value>,
    made: HashMap<String, Value>,
    /// Answers all requests with this.
    pub(crate) status: Option<u16>,
    /// Answers this many with 503 first.
    pub(crate) fails: usize,
    /// Tokens that are answered with 401.
    pub(crate) refuses: Vec<String>,
    /// Answers requests of this method with this challenge, when they bring one of the tokens that are stale.
    pub(crate) demand: Option<(Method, &'static str)>,
    pub(crate) stale: Vec<String>,
    /// The token and the query of each request.
    pub(crate) seen: Vec<(String, String)>,
}

impl Api {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.known().tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
    }

    /// Puts a task in without asking, and answers its id.
    pub(crate) fn add(&self, title: &str) -> String {
        let task = task(title, None);
        self.known().tasks.push(task.clone());
        task["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn start() -> FakeApi {
    let (listener, url) = TestServer::reserve();
    let state = Api::default();
    let router = Router::new()
        .route("/api/me/tasks", get(list).post(create))
        .route("/api/me/tasks/{id}", get(one).patch(change).delete(delete))
        .route("/api/me/tasks/{id}/complete", patch(change))
        .layer(middleware::from_fn_with_state(state.clone(), gate))
        .with_state(state.clone());
    FakeApi { _server: serve(listener, &router, Default::default()), url, state }
}

async fn gate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let authorization = request.headers()[header::AUTHORIZATION].to_str().unwrap();
    let token = authorization.strip_prefix("Bearer ").unwrap().to_owned();
    let demanded = {
        let known = api.known();
        let demand = known.demand.as_ref().filter(|(method, _)| method == request.method());
        demand.filter(|_| known.stale.contains(&token)).map(|(_, challenge)| *challenge)
    };
    if let Some(challenge) = demanded {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    }
    let refusal = {
        let mut known = api.known();
        known.seen.push((token.clone(), request.uri().query().unwrap_or_default().to_owned()));
        if known.fails > 0 {
            known.fails -= 1;
            Some(503)
        } else if known.refuses.contains(&token) {
            Some(401)
        } else {
            known.status
        }
    };
    match refusal {
        Some(status) => StatusCode::from_u16(status).unwrap().into_response(),
        None => next.run(request).await,
    }
}

fn task(title: &str, description: Option<&str>) -> Value {
    json!({
        "id": Uuid::now_v7(), "user_id": "alice", "title": title, "description": description,
        "completed": false, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

async fn list(State(api): State<Api>, Query(query): Query<HashMap<String, String>>) -> Response {
    let known = api.known();
    let wanted: Vec<&Value> = known
        .tasks
        .iter()
        .rev()
        .filter(|task| query.get("completed").is_none_or(|done| task["completed"] == (done == "true")))
        .filter(|task| query.get("q").is_none_or(|q| task["title"].as_str().unwrap().contains(q)))
        .collect();
    let start: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let limit: usize = query["limit"].parse().unwrap();
    assert!((1..=200).contains(&limit));
    let end = (start + limit).min(wanted.len());
    let mut response = Json(&wanted[start..end]).into_response();
    if end < wanted.len() {
        let link = format!("<http://elsewhere.invalid/api/me/tasks?cursor={end}>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, link.parse().unwrap());
    }
    response
}

fn invalid(body: &Value) -> Option<Response> {
    let title = body.get("title").and_then(Value::as_str);
    let mut errors = Vec::new();
    if title.is_some_and(|title| title.trim().is_empty() || title.chars().count() > 255) {
        errors.push(json!({"field": "title", "detail": "must have 1 to 255 characters"}));
    }
    if body["description"].as_str().is_some_and(|text| text.chars().count() > 1024) {
        errors.push(json!({"field": "description", "detail": "must have at most 1024 characters"}));
    }
    let problem = Json(json!({"title": "Unprocessable Content", "status": 422, "errors": errors}));
    (!errors.is_empty()).then(|| (StatusCode::UNPROCESSABLE_ENTITY, problem).into_response())
}

async fn create(State(api): State<Api>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Some(refusal) = invalid(&body) {
        return refusal;
    }
    let mut known = api.known();
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    if let Some(made) = known.made.get(&key) {
        return (StatusCode::CREATED, Json(made)).into_response();
    }
    let task = task(body["title"].as_str().unwrap(), body["description"].as_str());
    known.tasks.push(task.clone());
    known.made.insert(key, task.clone());
    (StatusCode::CREATED, Json(task)).into_response()
}

async fn one(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.known().tasks.iter().find(|task| task["id"] == *id) {
        Some(task) => Json(task).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn change(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    if let Some(refusal) = invalid(&body) {
        return refusal;
    }
    let mut known = api.known();
    let Some(task) = known.tasks.iter_mut().find(|task| task["id"] == *id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    for (name, value) in body.as_object().unwrap() {
        task[name] = value.clone();
    }
    Json(task).into_response()
}

async fn delete(State(api): State<Api>, Path(id): Path<String>) -> StatusCode {
    let mut known = api.known();
    let before = known.tasks.len();
    known.tasks.retain(|task| task["id"] != *id);
    if known.tasks.len() < before { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
