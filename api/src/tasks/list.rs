//! `GET /api/{user_id}/tasks`

use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{json, query::Query, to_json};
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
    let query = Query::read(query.as_deref().unwrap_or_default())?;
    let filter = Filter {
        user_id: &access.user_id,
        completed: query.completed,
        q: query.q.as_deref(),
        limit: query.limit + 1, // one more tells whether there is a next page
    };
    let mut conn = app.db.read().await?;
    let mut page = tasks::list(&mut conn, filter, &query.order).await?;
    drop(conn);

    let more = page.len() as i64 > query.limit;
    if more {
        page.pop();
    }
    let mut response = json(StatusCode::OK, to_json(&page)?);
    if let Some(last) = page.last().filter(|_| more) {
        let next = query.after(last);
        let link = format!("<{}/api/me/tasks?{next}>; rel=\"next\"", app.config.public_url);
        let link = HeaderValue::try_from(link).map_err(|_| Problem::internal())?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
