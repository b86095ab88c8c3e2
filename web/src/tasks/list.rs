//! `GET /tasks`

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use std::sync::Arc;

use super::{Place, form::TaskForm, moment::Moment, place::Filter};
use crate::{
    App,
    api_client::{self, ApiClient, Selection, Task},
    error::PageError,
    view::{View, respond},
    visit::Member,
};

/// How many tasks the API is asked for at once; its own limit.
const BATCH: usize = 200;

#[derive(Template)]
#[template(path = "tasks.html")]
struct TasksPage<'a> {
    view: View,
    place: &'a Place,
    form: TaskForm,
    filters: [Filter; 3],
    /// `None` when they could not be fetched.
    tasks: Option<&'a [Task]>,
    more: bool,
    now: chrono::DateTime<chrono::Utc>,
}

impl TasksPage<'_> {
    fn created(&self, task: &Task) -> Moment {
        Moment::new(task.created_at, self.now)
    }
}

pub(crate) async fn get(
    State(app): State<App>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let place = Place::parse(query.as_deref().unwrap_or_default());
    page(&app, member, &place, TaskForm::empty(), StatusCode::OK).await
}

/// The list, below a form that may hold what somebody typed and what is wrong with it.
pub(super) async fn page(
    app: &App,
    member: Member,
    place: &Place,
    form: TaskForm,
    status: StatusCode,
) -> Result<Response, PageError> {
    let shown = member.toast;
    let mut api = ApiClient { app, session: Arc::clone(&member.session) };
    let (listed, status, toast) = match fetch(&mut api, place).await {
        Ok(listed) => (Some(listed), status, member.toast),
        Err(error @ api_client::Error::Unreachable(_)) => {
            tracing::warn!(%error, "the tasks cannot be shown");
            (None, StatusCode::SERVICE_UNAVAILABLE, member.toast)
        }
        Err(error) => return Err(error.into()),
    };
    let (tasks, more) = listed.map_or((None, false), |(tasks, more)| (Some(tasks), more));
    let template = TasksPage {
        view: View::new(app, member.page, Some(&member.session), toast),
        place,
        form,
        filters: Filter::ALL,
        tasks: tasks.as_deref(),
        more,
        now: app.clock.now(),
    };
    Ok(respond(app, status, shown, &template))
}

/// As many tasks as the place shows, and whether there are more.
async fn fetch(api: &mut ApiClient<'_>, place: &Place) -> Result<(Vec<Task>, bool), api_client::Error> {
    let mut tasks = Vec::new();
    let mut cursor = None;
    loop {
        let limit = BATCH.min(place.show - tasks.len());
        let completed = place.filter.completed();
        let part = api.list(&Selection { completed, search: &place.search, limit, cursor }).await?;
        tasks.extend(part.tasks);
        cursor = part.next;
        if cursor.is_none() || tasks.len() >= place.show {
            return Ok((tasks, cursor.is_some()));
        }
    }
}
