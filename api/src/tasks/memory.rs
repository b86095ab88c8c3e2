//! Lists that were asked for lately, ready to be sent again.
//!
//! A list counts only until the next commit of this process, whoever's it was, and for a moment at most:
//! only where nobody else writes to the database (SQLite) is there anything to remember.

use std::time::Duration;

use axum::{body::Bytes, http::HeaderValue};
use moka::sync::Cache;
use platform::db::Db;

/// Bytes of bodies that are kept.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// A second process on the same file (an operator's mistake) is noticed after this.
const FRESH: Duration = Duration::from_secs(1);

/// One page of a list, as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub body: Bytes,
    /// The `Link` to the next page.
    pub next: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    db: Db,
    /// By owner and query, as it was written.
    pages: Cache<(String, String), (u64, Page)>,
}

/// What a page must be remembered with: made before the database is asked, so that a commit in between
/// makes the page worthless.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Option<u64>);

impl Memory {
    #[must_use]
    pub(crate) fn new(db: Db) -> Self {
        let pages = Cache::builder()
            .weigher(|(user_id, query): &(String, String), (_, page): &(u64, Page)| {
                u32::try_from(user_id.len() + query.len() + page.body.len() + 256).unwrap_or(u32::MAX)
            })
            .max_capacity(CAPACITY)
            .time_to_live(FRESH)
            .build();
        Self { db, pages }
    }

    #[must_use]
    pub(crate) fn now(&self) -> Moment {
        Moment(self.db.commits())
    }

    /// The page that these asked for before, if nothing was written since.
    #[must_use]
    pub(crate) fn recall(&self, asked: &(String, String)) -> Option<Page> {
        let commits = self.db.commits()?;
        self.pages.get(asked).filter(|(then, _)| *then == commits).map(|(_, page)| page)
    }

    pub(crate) fn remember(&self, moment: Moment, asked: (String, String), page: &Page) {
        if let Moment(Some(commits)) = moment {
            self.pages.insert(asked, (commits, page.clone()));
        }
    }
}
