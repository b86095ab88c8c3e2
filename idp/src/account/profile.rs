//! What people say of themselves: claims of OpenID Connect Core §5.1, which apps may ask for.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platform::pages::{Page, Protected};
use serde_json::Value;

use super::{
    frame::{Frame, Section},
    name, session,
    toast::Toast,
};
use crate::{
    App,
    audit::{self, Event},
    error::PageError,
    oidc::standard_claims,
    store::{sessions::Session, users, users::User},
};

const HERE: &str = "/account/profile";

/// A claim that people may say of themselves, as the form asks for it.
struct Field {
    /// As `standard_claims::set` names it.
    claim: &'static str,
    label: &'static str,
    /// The kind of input; `lines` has several.
    kind: &'static str,
    autocomplete: &'static str,
    hint: &'static str,
}

const fn field(claim: &'static str, label: &'static str, autocomplete: &'static str) -> Field {
    Field { claim, label, kind: "text", autocomplete, hint: "" }
}

const FIELDS: [Field; 14] = [
    field("name", "Name", "name"),
    field("given_name", "Given name", "given-name"),
    field("family_name", "Family name", "family-name"),
    field("nickname", "Nickname", "nickname"),
    Field {
        hint: "Like 1990-12-31, or 0000-12-31 without the year.",
        ..field("birthdate", "Birthday", "bday")
    },
    Field { kind: "url", hint: "With https:// in front.", ..field("website", "Website", "url") },
    Field {
        kind: "tel",
        hint: "In international form, like +44 20 7946 0000.",
        ..field("phone_number", "Phone number", "tel")
    },
    Field { hint: "Like en-GB.", ..field("locale", "Language", "language") },
    Field { hint: "Like Europe/London.", ..field("zoneinfo", "Time zone", "") },
    Field { kind: "lines", ..field("address.street_address", "Street address", "street-address") },
    field("address.postal_code", "Postal code", "postal-code"),
    field("address.locality", "Town", "address-level2"),
    field("address.region", "Region", "address-level1"),
    field("address.country", "Country", "country-name"),
];

/// A field, with what it holds.
struct Entry {
    field: &'static Field,
    text: String,
    error: Option<String>,
    /// It is the first that is wrong.
    focus: bool,
}

impl Entry {
    fn id(&self) -> String {
        self.field.claim.replace('.', "-")
    }

    fn describedby(&self) -> Option<String> {
        let id = self.id();
        let hint = (!self.field.hint.is_empty()).then(|| format!("{id}-hint"));
        let error = self.error.is_some().then(|| format!("{id}-error"));
        let parts: Vec<String> = hint.into_iter().chain(error).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Profile<'a> {
    frame: &'a Frame<'a>,
    entries: Vec<Entry>,
    /// How many fields are.
    wrong: usize,
}

/// `GET /account/profile`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let user = users::find(&mut conn, session.user_id).await?.ok_or(PageError::NotFound)?;
    drop(conn);
    let entry = |field| Entry { field, text: known(&user, field.claim), error: None, focus: false };
    Ok(show(&app, &page, &headers, &session, FIELDS.iter().map(entry).collect()))
}

/// `POST /account/profile`. Fields that are not sent stay as they are; empty ones are forgotten.
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    let mut user = users::find(&mut tx, session.user_id).await?.ok_or(PageError::NotFound)?;
    let mut changed = Vec::new();
    let mut entries = Vec::new();
    for field in &FIELDS {
        let before = known(&user, field.claim);
        let text = form.get(field.claim).map_or(before.clone(), |typed| typed.trim().replace("\r\n", "\n"));
        let error = if text == before { None } else { set(&mut user, field, &text).err() };
        if text != before {
            changed.push(field.claim);
        }
        entries.push(Entry { field, text, error, focus: false });
    }
    if entries.iter().any(|entry| entry.error.is_some()) {
        return Ok(show(&app, &page, &headers, &session, entries));
    }
    if !changed.is_empty() {
        users::set_claims(&mut tx, user.id, &user.name, user.claims, app.clock.now()).await?;
        let claims = changed.into_iter().map(str::to_owned).collect();
        audit::record(&app, &mut tx, Some(user.id), Event::ProfileChanged { claims }).await?;
        tx.commit().await?;
    }
    Ok(Toast::ProfileSaved.redirect(&app.site, HERE))
}

/// What is known already; empty when nothing is.
fn known(user: &User, claim: &str) -> String {
    let found = match claim.strip_prefix("address.") {
        None if claim == "name" => return user.name.clone(),
        None => user.claims.0.get(claim),
        Some(member) => user.claims.0.get("address").and_then(|address| address.get(member)),
    };
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// `Err` is a sentence for beside the field.
fn set(user: &mut User, field: &Field, text: &str) -> Result<(), String> {
    if field.claim == "name" {
        if let Some(error) = name::refuse(text) {
            return Err(error.to_owned());
        }
        user.name = text.to_owned();
        return Ok(());
    }
    let said = |reason| format!("{} {reason}.", field.label);
    let text = Some(text).filter(|text| !text.is_empty());
    standard_claims::set(&mut user.claims, field.claim, text).map_err(said)?;
    if field.claim.starts_with("address.") {
        // What an operator wrote as a whole would contradict it.
        standard_claims::set(&mut user.claims, "address.formatted", None).map_err(said)?;
    }
    Ok(())
}

fn show(app: &App, page: &Page, headers: &HeaderMap, session: &Session, mut entries: Vec<Entry>) -> Response {
    let wrong = entries.iter().filter(|entry| entry.error.is_some()).count();
    if let Some(first) = entries.iter_mut().find(|entry| entry.error.is_some()) {
        first.focus = true;
    }
    let status = if wrong > 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = Frame::new(app, headers, page, session, Section::Profile);
    frame.answer(status, &Profile { frame: &frame, entries, wrong })
}
