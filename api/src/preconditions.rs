//! Conditional requests, RFC 9110 §13, and the entity tags that they are about.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};

use crate::store::tasks::Task;

/// A strong entity tag: it changes with every change of the task.
#[must_use]
pub(crate) fn etag(task: &Task) -> String {
    format!("\"{}\"", task.version)
}

/// `If-Match` and `If-None-Match`, the entity tags in them as they came.
#[derive(Debug)]
pub(crate) struct Preconditions {
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
}

impl Preconditions {
    /// Whether `If-Match` lets this version be changed. A weak tag never matches (§13.1.1).
    #[must_use]
    pub(crate) fn allow(&self, task: &Task) -> bool {
        let etag = etag(task);
        self.if_match.as_ref().is_none_or(|tags| tags.iter().any(|tag| tag == "*" || *tag == etag))
    }

    /// Whether `If-None-Match` says that the client has this version. Weak tags count (§13.1.2).
    #[must_use]
    pub(crate) fn has_current(&self, task: &Task) -> bool {
        let etag = etag(task);
        let same = |tag: &String| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
        self.if_none_match.as_ref().is_some_and(|tags| tags.iter().any(same))
    }
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            if_match: tags(&parts.headers, &header::IF_MATCH),
            if_none_match: tags(&parts.headers, &header::IF_NONE_MATCH),
        })
    }
}

/// The tags of a header; one that cannot be read is there, and matches nothing.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let values = headers.get_all(name);
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let tags = values.iter().map(text).collect::<Vec<_>>().join(",");
    let present = values.iter().next().is_some();
    present.then(|| tags.split(',').map(|tag| tag.trim().to_owned()).collect())
}
