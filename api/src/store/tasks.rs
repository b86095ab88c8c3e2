//! Tasks. Every statement names the owner: there is no way to reach somebody else's.

use chrono::{DateTime, Utc};
use platform::db::{Conn, Error, Tx, on_conn};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;
use uuid::Uuid;

/// UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = Uuid, example = "0198c5b0-6c2e-7d3a-9a53-3f1d2c4b5a69")]
pub(crate) struct TaskId(pub Uuid);

/// Something to do, in one person's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, ToSchema)]
pub(crate) struct Task {
    pub id: TaskId,
    /// Whose list it is in: the `sub` of their access tokens.
    #[schema(example = "0198c5af-91d4-7c10-8d0e-5a3b7c9d1e2f")]
    pub user_id: String,
    #[schema(min_length = 1, max_length = 255, example = "Water the plants")]
    pub title: String,
    #[schema(max_length = 1024, required = true, example = "The fern, too")]
    pub description: Option<String>,
    pub completed: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Counts the changes; becomes the entity tag.
    #[serde(skip)]
    pub version: i64,
}

/// The order of a list, and where in it a page begins. Ties are broken by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Created(Direction, Start<DateTime<Utc>>),
    Updated(Direction, Start<DateTime<Utc>>),
    Title(Direction, Start<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// A page begins after this row. At the list's beginning that is a row that sorts before every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start<K> {
    pub key: K,
    pub id: Uuid,
}

/// Which tasks of a list are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub user_id: &'a str,
    pub completed: Option<bool>,
    /// Part of the title or the description, in any case.
    pub q: Option<&'a str>,
    pub limit: i64,
}

/// The statement of one order, as text known when compiling, and run.
macro_rules! page {
    ($conn:expr, $filter:expr, $pattern:expr, $start:expr, $column:literal, $after:literal, $direction:literal) => {
        on_conn!($conn, |conn| {
            sqlx::query_as(concat!(
                "SELECT id, user_id, title, description, completed, created_at, updated_at, version FROM tasks",
                " WHERE user_id = $1 AND (", $column, ", id) ", $after, " ($2, $3)",
                " AND ($4 IS NULL OR completed = $4) AND ($5 IS NULL OR search_text LIKE '%' || $5 || '%' ESCAPE '\\')",
                " ORDER BY ", $column, " ", $direction, ", id ", $direction, " LIMIT $6",
            ))
            .bind($filter.user_id)
            .bind(&$start.key)
            .bind($start.id)
            .bind($filter.completed)
            .bind($pattern)
            .bind($filter.limit)
            .fetch_all(conn)
            .await
        })
    };
}

/// One page of a list.
pub(crate) async fn list(conn: &mut Conn, filter: Filter<'_>, order: &Order) -> Result<Vec<Task>, Error> {
    use Direction::{Ascending, Descending};
    let pattern = filter.q.map(pattern);
    let pattern = pattern.as_deref();
    match order {
        Order::Created(Ascending, start) => page!(conn, filter, pattern, start, "created_at", ">", "ASC"),
        Order::Created(Descending, start) => page!(conn, filter, pattern, start, "created_at", "<", "DESC"),
        Order::Updated(Ascending, start) => page!(conn, filter, pattern, start, "updated_at", ">", "ASC"),
        Order::Updated(Descending, start) => page!(conn, filter, pattern, start, "updated_at", "<", "DESC"),
        Order::Title(Ascending, start) => page!(conn, filter, pattern, start, "title_key", ">", "ASC"),
        Order::Title(Descending, start) => page!(conn, filter, pattern, start, "title_key", "<", "DESC"),
    }
}

pub(crate) async fn find(conn: &mut Conn, user_id: &str, id: TaskId) -> Result<Option<Task>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, user_id, title, description, completed, created_at, updated_at, version
             FROM tasks WHERE id = $1 AND user_id = $2",
        )
        .bind(id)
        .bind(user_id)
        .fetch_optional(conn)
        .await
    })
}

pub(crate) async fn insert(tx: &mut Tx, task: &Task) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO tasks (id, user_id, title, description, completed, created_at, updated_at,
                                version, title_key, search_text)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(task.id)
        .bind(&task.user_id)
        .bind(&task.title)
        .bind(&task.description)
        .bind(task.completed)
        .bind(task.created_at)
        .bind(task.updated_at)
        .bind(task.version)
        .bind(fold(&task.title))
        .bind(search_text(task))
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Stores `task` as the successor of the version that it carries, and counts that up.
///
/// `None`: that version is not the current one any more, or the task is gone. Nothing was changed.
pub(crate) async fn update(tx: &mut Tx, task: Task) -> Result<Option<Task>, Error> {
    let version = task.version + 1;
    let updated = on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE tasks SET title = $4, description = $5, completed = $6, updated_at = $7,
                              version = $8, title_key = $9, search_text = $10
             WHERE id = $1 AND user_id = $2 AND version = $3",
        )
        .bind(task.id)
        .bind(&task.user_id)
        .bind(task.version)
        .bind(&task.title)
        .bind(&task.description)
        .bind(task.completed)
        .bind(task.updated_at)
        .bind(version)
        .bind(fold(&task.title))
        .bind(search_text(&task))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok((updated == 1).then_some(Task { version, ..task }))
}

/// Deletes that version of a task; `false` when it is not the current one any more, or the task is gone.
pub(crate) async fn delete(tx: &mut Tx, task: &Task) -> Result<bool, Error> {
    let deleted = on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM tasks WHERE id = $1 AND user_id = $2 AND version = $3")
            .bind(task.id)
            .bind(&task.user_id)
            .bind(task.version)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(deleted == 1)
}

/// The text that comparisons are made with: composed alike (NFC), in lower case.
#[must_use]
pub(crate) fn fold(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

fn search_text(task: &Task) -> String {
    let mut text = fold(&task.title);
    if let Some(description) = &task.description {
        text.push('\n');
        text.push_str(&fold(description));
    }
    text
}

/// What stands between the wildcards of `LIKE`: those that somebody typed stand for themselves.
///
/// The wildcards around it belong to the statement: SQLite plans a `LIKE` with a bare parameter anew
/// whenever that is bound, which takes longer than reading a page of tasks.
fn pattern(q: &str) -> String {
    let mut pattern = String::new();
    for character in fold(q).chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_themselves() {
        assert_eq!(pattern(r"50%_\Ä"), r"50\%\_\\ä");
    }

    #[test]
    fn letters_composed_differently_are_equal() {
        assert_eq!(fold("Cafe\u{301}"), fold("CAFÉ"));
    }
}
