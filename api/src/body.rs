//! Reading a JSON body member by member, so that everything that is wrong is told at once.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::error::{FieldError, Problem};

const MAX_TITLE: usize = 255;
const MAX_DESCRIPTION: usize = 1024;

/// A JSON object from a request's body. Each reader takes its member out; [`Body::finish`] refuses
/// what nobody asked for.
#[derive(Debug)]
pub(crate) struct Body {
    members: BTreeMap<String, Value>,
    errors: Vec<FieldError>,
}

impl Body {
    /// `None` when absent, or wrong (which [`Body::finish`] tells).
    pub(crate) fn title(&mut self) -> Option<String> {
        let title = self.text("title", "must be a string")?.trim().to_owned();
        if title.is_empty() || title.chars().count() > MAX_TITLE {
            return self.refuse("title", "must have 1 to 255 characters");
        }
        Some(title)
    }

    /// `Some(None)` is an explicit `null`.
    pub(crate) fn description(&mut self) -> Option<Option<String>> {
        if self.members.get("description").is_some_and(Value::is_null) {
            self.members.remove("description");
            return Some(None);
        }
        let description = self.text("description", "must be a string or null")?;
        if description.chars().count() > MAX_DESCRIPTION {
            return self.refuse("description", "must have at most 1024 characters");
        }
        Some(Some(description))
    }

    pub(crate) fn completed(&mut self) -> Option<bool> {
        match self.members.remove("completed")? {
            Value::Bool(completed) => Some(completed),
            _ => self.refuse("completed", "must be true or false"),
        }
    }

    /// Refuses the request when this member is not there. Comes before reading it.
    pub(crate) fn require(&mut self, member: &'static str) {
        if !self.members.contains_key(member) {
            self.refuse::<()>(member, "is required");
        }
    }

    /// 422 when any member was wrong, is unknown, or came twice.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for member in std::mem::take(&mut self.members).into_keys() {
            self.errors.push(FieldError { field: member, detail: "is not a field that can be set".into() });
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::fields(self.errors)) }
    }

    fn text(&mut self, member: &'static str, expected: &'static str) -> Option<String> {
        match self.members.remove(member)? {
            // PostgreSQL cannot store it, and nobody means it.
            Value::String(text) if text.contains('\0') => {
                self.refuse(member, "must not contain the NUL character")
            }
            Value::String(text) => Some(text),
            _ => self.refuse(member, expected),
        }
    }

    fn refuse<T>(&mut self, member: &'static str, detail: &'static str) -> Option<T> {
        self.errors.push(FieldError { field: member.into(), detail: detail.into() });
        None
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "The body must be application/json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(failed)
                if failed.status() == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
            }
            _ => Problem::new(StatusCode::BAD_REQUEST, "The body could not be read."),
        })?;
        serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The body must be a JSON object.")
            }
            _ => {
                let detail =
                    format!("The body is not JSON (line {}, column {}).", error.line(), error.column());
                Problem::new(StatusCode::BAD_REQUEST, detail)
            }
        })
    }
}

/// `application/json` or, as RFC 7396 has it for PATCH, `application/merge-patch+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"].iter().any(|json| essence.eq_ignore_ascii_case(json))
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut body = Body { members: BTreeMap::new(), errors: Vec::new() };
                while let Some((member, value)) = map.next_entry::<String, Value>()? {
                    match body.members.entry(member) {
                        Entry::Vacant(entry) => {
                            entry.insert(value);
                        }
                        Entry::Occupied(entry) => {
                            let (field, detail) = (entry.key().clone(), Cow::Borrowed("is there twice"));
                            body.errors.push(FieldError { field, detail });
                        }
                    }
                }
                Ok(body)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
