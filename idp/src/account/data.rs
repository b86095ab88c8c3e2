//! What is stored about somebody, for them; and the end of their account.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use platform::{
    pages::{Page, Protected, render},
    place::Place,
};

use super::{
    frame::{Frame, Section},
    home::day,
    session,
    sessions::Pressed,
};
use crate::{
    App,
    admin::users::end_everything,
    audit::{self, Event},
    config,
    error::PageError,
    store::{personal_data, users},
};

const HERE: &str = "/account/data";
const DELETE: &str = "/account/data/delete";

#[derive(Template)]
#[template(path = "data.html")]
struct Data<'a> {
    frame: &'a Frame<'a>,
}

#[derive(Template)]
#[template(path = "delete.html")]
struct Delete<'a> {
    frame: &'a Frame<'a>,
    /// How long one can change one's mind.
    grace: Option<String>,
}

#[derive(Template)]
#[template(path = "deleted.html")]
struct Deleted<'a> {
    place: &'a Place,
    day: Option<String>,
}

/// `GET /account/data`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let frame = Frame::new(&app, &headers, &page, &session, Section::Data);
    Ok(frame.answer(StatusCode::OK, &Data { frame: &frame }))
}

/// `POST /account/data/export`: a file.
pub async fn export(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Pressed {}): Protected<Pressed>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    let data = personal_data::collect(&mut tx, session.user_id).await?;
    audit::record(&app, &mut tx, Some(session.user_id), Event::DataExported).await?;
    tx.commit().await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"your-data.json\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, format!("{:#}", serde_json::Value::Object(data))).into_response())
}

/// `GET /account/data/delete`
pub async fn confirm(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, DELETE).await?;
    let frame = Frame::new(&app, &headers, &page, &session, Section::Data);
    let grace = in_words(app.config.deletion_grace);
    Ok(frame.answer(StatusCode::OK, &Delete { frame: &frame, grace }))
}

/// `POST /account/data/delete`: from now on nobody is let in with this account. What is left of it goes when the
/// grace period is over.
pub async fn delete(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Pressed {}): Protected<Pressed>,
) -> Result<Response, PageError> {
    let session = session::recent(&app, &headers, DELETE).await?;
    let (now, user_id) = (app.clock.now(), session.user_id);
    let delete_at = now + config::seconds(app.config.deletion_grace);
    let mut tx = app.db.write().await?;
    users::set_delete_at(&mut tx, user_id, Some(delete_at)).await?;
    end_everything(&mut tx, user_id, now).await?;
    audit::record(&app, &mut tx, Some(user_id), Event::DeletionRequested { delete_at }).await?;
    tx.commit().await?;
    app.session_ended.notify_one();
    let day = (delete_at > now).then(|| day(&delete_at));
    let cookie = app.site.set_cookie(session::COOKIE, "", Some(0));
    let page = render(Deleted { place: &app.place, day }.render());
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), page).into_response())
}

/// `14 days`; `None` for no time at all.
fn in_words(seconds: u32) -> Option<String> {
    let (count, unit) = match seconds {
        0 => return None,
        1..3600 => (seconds.div_ceil(60), "minute"),
        3600..86400 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_think_again_is_said_in_words() {
        let said = [(0, None), (1, Some("1 minute")), (7200, Some("2 hours")), (14 * 86400, Some("14 days"))];
        for (seconds, words) in said {
            assert_eq!(in_words(seconds).as_deref(), words, "{seconds}");
        }
    }
}
