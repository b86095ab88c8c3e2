//! A request as it will be sent, down to the bytes.

use std::fmt;

use reqwest::{
    Method, RequestBuilder,
    header::{self, HeaderName, HeaderValue},
};

use super::world::World;

/// reqwest sends no address of 64 KiB or more.
const LONGEST_QUERY: usize = 60_000;

pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone)]
pub struct Sent {
    pub method: Method,
    pub path: String,
    pub query: Pairs,
    /// `None`: a request without a body.
    pub form: Option<Pairs>,
    /// The form's values go as they are, whatever is in them.
    pub raw: bool,
    pub headers: Vec<(HeaderName, Vec<u8>)>,
}

impl Sent {
    /// The parameters, wherever they are.
    pub fn parameters(&mut self) -> &mut Pairs {
        self.form.as_mut().unwrap_or(&mut self.query)
    }

    /// The values of a parameter, in the query or in the form.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.all().filter(move |(have, _)| have == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    pub fn all(&self) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> {
        self.query.iter().chain(self.form.iter().flatten())
    }

    pub fn set_header(&mut self, name: HeaderName, value: impl Into<Vec<u8>>) {
        self.headers.retain(|(have, _)| *have != name);
        self.headers.push((name, value.into()));
    }

    /// The body, as it goes over the wire.
    pub fn body(&self) -> Option<Vec<u8>> {
        Some(encode(self.form.as_ref()?, self.raw))
    }

    pub fn build(&self, world: &World<'_>) -> RequestBuilder {
        let mut url = world.idp.at(&self.path);
        if !self.query.is_empty() {
            let query = String::from_utf8(encode(&self.query, false)).unwrap();
            url.push('?');
            url.extend(query.chars().take(LONGEST_QUERY));
        }
        let mut request = world.http.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            // What no client can send is left out.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request = request.header(name, value);
            }
        }
        match self.body() {
            Some(body) => request.body(body),
            None => request,
        }
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8]| {
            let text: String = bytes.escape_ascii().to_string();
            if text.len() < 200 { text } else { format!("{}… ({} bytes)", &text[..200], bytes.len()) }
        };
        let pairs = |pairs: &Pairs| {
            let pairs: Vec<_> =
                pairs.iter().map(|(name, value)| format!("{}={}", short(name), short(value))).collect();
            pairs.join(" & ")
        };
        write!(f, "{} {} ? {}", self.method, self.path, pairs(&self.query))?;
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != header::COOKIE) {
            write!(f, " [{name}: {}]", short(value))?;
        }
        match &self.form {
            Some(form) => write!(f, " body{}: {}", if self.raw { " (raw)" } else { "" }, pairs(form)),
            None => Ok(()),
        }
    }
}

fn encode(pairs: &Pairs, raw: bool) -> Vec<u8> {
    let coded = |bytes: &[u8]| match raw {
        true => bytes.to_vec(),
        false => url::form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes(),
    };
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| [coded(name), coded(value)].join(&b'=')).collect();
    pairs.join(&b'&')
}
