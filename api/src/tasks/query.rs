//! The query of a list: filters, order, and the cursor that a page begins after.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    error::{FieldError, Problem},
    store::tasks::{Direction, Order, Start, Task, fold},
};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;
const MAX_Q: usize = 255;
/// The last microsecond of the year 9999: no task is younger, and both databases can store it.
const END_OF_TIME: i64 = 253_402_300_799_999_999;
/// The greatest character, once more than a title can have it: sorts after every title.
const LAST_CHARACTER: &str = "\u{10FFFF}";
const LONGER_THAN_TITLES: usize = 256;

/// What the documentation tells; [`Query`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ListParams {
    /// Only tasks that are completed, or that are not.
    completed: Option<bool>,
    /// Only tasks with this in their title or description, in any case.
    #[param(max_length = 255, example = "plants")]
    q: Option<String>,
    /// The order; `-` is descending. `-created_at` when absent.
    #[param(inline)]
    sort: Option<Sort>,
    /// How many tasks a page has; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// Where the page begins: from the `Link` of the page before. Belongs to one `sort`.
    cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
enum Sort {
    #[schema(rename = "created_at")]
    CreatedAt,
    #[schema(rename = "-created_at")]
    CreatedAtDescending,
    #[schema(rename = "updated_at")]
    UpdatedAt,
    #[schema(rename = "-updated_at")]
    UpdatedAtDescending,
    #[schema(rename = "title")]
    Title,
    #[schema(rename = "-title")]
    TitleDescending,
}

impl Sort {
    const ALL: [Self; 6] = [
        Self::CreatedAt,
        Self::CreatedAtDescending,
        Self::UpdatedAt,
        Self::UpdatedAtDescending,
        Self::Title,
        Self::TitleDescending,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::CreatedAtDescending => "-created_at",
            Self::UpdatedAt => "updated_at",
            Self::UpdatedAtDescending => "-updated_at",
            Self::Title => "title",
            Self::TitleDescending => "-title",
        }
    }

    fn direction(self) -> Direction {
        if self.name().starts_with('-') { Direction::Descending } else { Direction::Ascending }
    }

    /// The order from its beginning on.
    fn order(self) -> Order {
        let direction = self.direction();
        let (time, title, id) = match direction {
            Direction::Ascending => (0, 0, Uuid::nil()),
            Direction::Descending => (END_OF_TIME, LONGER_THAN_TITLES, Uuid::max()),
        };
        let time = || Start { key: DateTime::from_timestamp_micros(time).unwrap_or_default(), id };
        let title = || Start { key: LAST_CHARACTER.repeat(title), id };
        match self {
            Self::CreatedAt | Self::CreatedAtDescending => Order::Created(direction, time()),
            Self::UpdatedAt | Self::UpdatedAtDescending => Order::Updated(direction, time()),
            Self::Title | Self::TitleDescending => Order::Title(direction, title()),
        }
    }

    /// The order from after what the cursor says; `None` unless [`Query::after`] wrote it for this order.
    fn resume(self, cursor: &str) -> Option<Order> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (sort, rest) = text.split_once(' ')?;
        let (id, key) = rest.split_once(' ')?;
        if sort != self.name() || key.contains('\0') {
            return None;
        }
        let id = id.parse().ok()?;
        let time = || -> Option<Start<DateTime<Utc>>> {
            let micros = key.parse().ok().filter(|micros| (0..=END_OF_TIME).contains(micros))?;
            Some(Start { key: DateTime::from_timestamp_micros(micros)?, id })
        };
        let direction = self.direction();
        Some(match self {
            Self::CreatedAt | Self::CreatedAtDescending => Order::Created(direction, time()?),
            Self::UpdatedAt | Self::UpdatedAtDescending => Order::Updated(direction, time()?),
            Self::Title | Self::TitleDescending => Order::Title(direction, Start { key: key.to_owned(), id }),
        })
    }
}

#[derive(Debug)]
pub(super) struct Query {
    pub(super) completed: Option<bool>,
    pub(super) q: Option<String>,
    pub(super) limit: i64,
    pub(super) order: Order,
    sort: Sort,
}

impl Query {
    /// Reads a query string; 422 with everything that is wrong in it.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, detail: &'static str| {
            errors.push(FieldError { field: field.to_owned(), detail: detail.into() });
        };
        let (mut completed, mut q, mut sort, mut limit, mut cursor) = (None, None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "completed" => &mut completed,
                "q" => &mut q,
                "sort" => &mut sort,
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                _ => {
                    refuse(&name, "is not a parameter of this list");
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                refuse(&name, "is there twice");
            }
        }
        let completed = completed
            .and_then(|value| value.parse().map_err(|_| refuse("completed", "must be true or false")).ok());
        let q = q.map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        if q.as_ref().is_some_and(|q| q.chars().count() > MAX_Q || q.contains('\0')) {
            refuse("q", "must have at most 255 characters, none of them NUL");
        }
        let limit = limit.map_or(DEFAULT_LIMIT, |limit| {
            let limit = limit.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.unwrap_or_else(|| {
                refuse("limit", "must be a number from 1 to 200");
                DEFAULT_LIMIT
            })
        });
        let sort = sort.map_or(Sort::CreatedAtDescending, |name| {
            Sort::ALL.into_iter().find(|sort| sort.name() == name).unwrap_or_else(|| {
                refuse("sort", "must be created_at, updated_at or title, with - before it for descending");
                Sort::CreatedAtDescending
            })
        });
        let order = cursor.map_or_else(
            || sort.order(),
            |cursor| {
                sort.resume(&cursor).unwrap_or_else(|| {
                    refuse("cursor", "does not come from a list in this order");
                    sort.order()
                })
            },
        );
        if !errors.is_empty() {
            return Err(Problem::fields(errors));
        }
        Ok(Self { completed, q, limit, order, sort })
    }

    /// The query of the page after the one that ends with `last`.
    pub(super) fn after(&self, last: &Task) -> String {
        let key = match self.order {
            Order::Created(..) => last.created_at.timestamp_micros().to_string(),
            Order::Updated(..) => last.updated_at.timestamp_micros().to_string(),
            Order::Title(..) => fold(&last.title),
        };
        let cursor = URL_SAFE_NO_PAD.encode(format!("{} {} {key}", self.sort.name(), last.id.0));
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(completed) = self.completed {
            query.append_pair("completed", if completed { "true" } else { "false" });
        }
        if let Some(q) = &self.q {
            query.append_pair("q", q);
        }
        query.append_pair("sort", self.sort.name());
        query.append_pair("limit", &self.limit.to_string());
        query.append_pair("cursor", &cursor);
        query.finish()
    }
}
