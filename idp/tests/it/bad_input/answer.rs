//! What holds for every answer, whatever was sent.

use std::fmt;

use reqwest::header::{self, HeaderMap};
use serde_json::Value;
use url::Url;

use super::{
    endpoint::{Endpoint, REDIRECTED, Speaks},
    request::Sent,
    values::MARKUP,
    world::World,
};
use crate::fixture::clients;

/// Shorter ones may be on a page by chance.
const RECOGNISABLE: usize = 8;

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

type Judgement = Result<(), String>;

impl Answer {
    pub async fn to(sent: &Sent, world: &World<'_>) -> Self {
        let response = sent.build(world).send().await.unwrap_or_else(|error| panic!("{error:?}: {sent:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_else(|error| panic!("{error:?}: {sent:?}"));
        Self { status, headers, body: String::from_utf8(body.to_vec()).expect("what we say is UTF-8") }
    }

    pub fn judge(&self, endpoint: &Endpoint, sent: &Sent, world: &World<'_>) -> Judgement {
        holds(self.status < 500, "the fault is ours")?;
        if self.text("x-request-id").is_empty() {
            // Refused before it was a request.
            return holds(matches!(self.status, 400 | 414 | 431), "an answer without an id");
        }
        holds(self.text("x-content-type-options") == "nosniff", "no nosniff")?;
        holds(self.text("content-security-policy").contains("frame-ancestors 'none'"), "can be framed")?;
        let leads_on = (300..400).contains(&self.status) && self.status != 304;
        holds(leads_on == self.headers.contains_key(header::LOCATION), "Location and status disagree")?;
        holds(
            !self.headers.contains_key("evil") && !self.headers.contains_key("x-evil"),
            "a header was injected",
        )?;
        if self.status == 405 {
            holds(!self.text("allow").is_empty(), "405 without Allow")?;
        }
        if leads_on {
            self.judge_place(self.text("location"), sent, world)?;
        }
        if sent.path != endpoint.path {
            return Ok(());
        }
        match endpoint.speaks {
            Speaks::Json(errors) => self.judge_json(errors, sent),
            Speaks::Bearer => self.judge_bearer(sent),
            Speaks::Pages => self.judge_page(sent, world),
            Speaks::Documents => Ok(()),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("(not ASCII)"))
    }

    fn is_stored(&self) -> bool {
        self.text("cache-control") != "no-store"
    }

    /// Ours, or where a client of the request wants answers.
    fn judge_place(&self, place: &str, sent: &Sent, world: &World<'_>) -> Judgement {
        let ours = place.starts_with('/') && !place.starts_with("//") && !place.contains(['\\', '\t']);
        if ours {
            return Ok(());
        }
        let clients = clients();
        // By the request itself; what it only names was pushed, or waits.
        let parameter = match sent.path.as_str() {
            "/authorize" if sent.values("request_uri").count() == 0 => "redirect_uri",
            "/logout" | "/logout/confirm" => "post_logout_redirect_uri",
            _ => "",
        };
        let asked =
            |uri: &str| parameter.is_empty() || sent.values(parameter).any(|asked| asked == uri.as_bytes());
        let registered = clients
            .iter()
            .flat_map(|client| client.redirect_uris.iter().chain(&client.post_logout_redirect_uris))
            .find(|uri| {
                place.strip_prefix(uri.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
            });
        let Some(uri) = registered else { return Err(format!("sends people to {place}")) };
        holds(asked(uri), "another redirect URI than was asked for")?;
        let url = Url::parse(place).map_err(|error| format!("{place}: {error}"))?;
        let parameter = |name: &str| {
            url.query_pairs().find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
        };
        if uri.ends_with("/cb") {
            holds(
                parameter("iss").as_deref() == Some(world.idp.url.as_str()),
                "an answer without iss (RFC 9207)",
            )?;
        }
        match parameter("error") {
            Some(error) => {
                holds(REDIRECTED.contains(&error.as_str()), "an error that no specification names")
            }
            None => Ok(()),
        }
    }

    fn judge_json(&self, errors: &[&str], sent: &Sent) -> Judgement {
        if self.body.is_empty() {
            return Ok(());
        }
        holds(!self.is_stored(), "may be cached")?;
        holds(self.text("content-type") == "application/json", "not JSON")?;
        let body: Value = serde_json::from_str(&self.body).map_err(|error| error.to_string())?;
        if self.status < 400 {
            return holds(body.get("error").is_none(), "an error with a good status");
        }
        let error = body["error"].as_str().ok_or("no error code")?;
        holds(errors.contains(&error), "an error that the specification does not name")?;
        holds(body.as_object().is_some_and(|object| object.len() == 1), "more than an error code")?;
        holds(matches!(self.status, 400 | 401 | 413), "an unusual status")?;
        holds((self.status == 401) == (error == "invalid_client"), "401 is for unknown clients")?;
        holds(self.status != 401 || !self.text("www-authenticate").is_empty(), "401 without a challenge")?;
        self.reflects_nothing(sent)
    }

    fn judge_bearer(&self, sent: &Sent) -> Judgement {
        if matches!(self.status, 405 | 413) || sent.method == "OPTIONS" {
            return Ok(());
        }
        holds(!self.is_stored(), "may be cached")?;
        if self.status < 400 {
            return Ok(());
        }
        let challenge = self.text("www-authenticate");
        holds(challenge.starts_with("Bearer realm="), "no challenge")?;
        let error = challenge.split_once("error=\"").and_then(|(_, rest)| rest.split('"').next());
        let expected: &[Option<&str>] = match self.status {
            400 => &[Some("invalid_request")],
            401 => &[None, Some("invalid_token")],
            403 => &[Some("insufficient_scope")],
            _ => return Err("an unusual status".to_owned()),
        };
        holds(expected.contains(&error), "an error that RFC 6750 does not name for it")?;
        self.reflects_nothing(sent)
    }

    fn judge_page(&self, sent: &Sent, world: &World<'_>) -> Judgement {
        let html = self.text("content-type").starts_with("text/html");
        if html || (300..400).contains(&self.status) {
            holds(!self.is_stored(), "may be cached")?;
        }
        holds(!self.body.contains(MARKUP), "markup gets onto a page")?;
        // Unless it was also sent as something that is shown again.
        let only_once = |value: &&[u8]| sent.all().filter(|(_, other)| other == value).count() == 1;
        for password in sent.values("password").filter(|value| value.len() >= RECOGNISABLE).filter(only_once)
        {
            let shown = std::str::from_utf8(password).is_ok_and(|password| self.body.contains(password));
            holds(!shown, "a password is on a page")?;
        }
        let forms = self.body.split("<form").skip(1).filter_map(|form| form.split_once(" action=\""));
        for place in forms.filter_map(|(_, rest)| rest.split('"').next()) {
            self.judge_form(place, sent, world)?;
        }
        if self.status >= 400 {
            // What a browser shows for a refusal is a page; the script asks for the strength of a password as JSON.
            holds(html || sent.method == "HEAD" || self.body.is_empty(), "a refusal that is no page")?;
        }
        if self.status >= 400 && !self.body.contains("<form") {
            self.reflects_nothing(sent)?;
        }
        Ok(())
    }

    /// A form that answers a client has no query in its address.
    fn judge_form(&self, place: &str, sent: &Sent, world: &World<'_>) -> Judgement {
        let clients = clients();
        let registered = clients.iter().any(|client| client.redirect_uris.iter().any(|uri| uri == place));
        if registered { Ok(()) } else { self.judge_place(place, sent, world) }
    }

    fn reflects_nothing(&self, sent: &Sent) -> Judgement {
        for (_, value) in sent.all().filter(|(_, value)| value.len() >= RECOGNISABLE) {
            if let Ok(text) = std::str::from_utf8(value) {
                holds(!self.body.contains(text), "what was sent is in the answer")?;
            }
        }
        Ok(())
    }
}

fn holds(good: bool, wrong: &str) -> Judgement {
    if good { Ok(()) } else { Err(wrong.to_owned()) }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.body.chars().take(300).collect();
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}
