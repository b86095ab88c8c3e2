//! `GET /api/{user_id}/tasks`

use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{json, memory::Page, query::Query, to_json};
use crate::{
    App,
    bearer::{Access, Read},
    error::Problem,
    openapi::{BadQuery, Refusals, UserParams},
    store::tasks::{self, Filter, Task},
};

/// The tasks of a list
///
/// A page at a time: as long as there are more, the `Link` header has the next page's URL.
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks",
    tag = "tasks",
    security(("openid" = ["tasks:read"])),
    params(UserParams, super::query::ListParams),
    responses(
        (
            status = OK,
            description = "One page",
            body = Vec<Task>,
            headers(("Link" = String, description = "`<URL>; rel=\"next\"`; absent on the last page"))
        ),
        Refusals,
        BadQuery,
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    access: Access<Read>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = (access.user_id, query.unwrap_or_default());
    if let Some(page) = app.lists.recall(&asked) {
        return Ok(answer(page));
    }
    let moment = app.lists.now();
    let query = Query::read(&asked.1)?;
    let filter = Filter {
        user_id: &asked.0,
        completed: query.completed,
        q: query.q.as_deref(),
        limit: query.limit + 1, // one more tells whether there is a next page
    };
    let mut conn = app.db.read().await?;
    let mut tasks = tasks::list(&mut conn, filter, &query.order).await?;
    drop(conn);

    let more = tasks.len() as i64 > query.limit;
    if more {
        tasks.pop();
    }
    let next = match tasks.last().filter(|_| more) {
        Some(last) => {
            let next =
                format!("<{}/api/me/tasks?{}>; rel=\"next\"", app.config.public_url, query.after(last));
            Some(HeaderValue::try_from(next).map_err(|_| Problem::internal())?)
        }
        None => None,
    };
    let page = Page { body: to_json(&tasks)?.into(), next };
    app.lists.remember(moment, asked, &page);
    Ok(answer(page))
}

fn answer(page: Page) -> Response {
    let mut response = json(StatusCode::OK, page.body);
    if let Some(next) = page.next {
        response.headers_mut().insert(header::LINK, next);
    }
    response
}
