//! Parameters of OAuth requests, RFC 6749 §3.1 and §3.2: none twice, those without a value omitted; and no
//! more of them, or longer ones, than any request needs.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, header};

/// These may be sent several times (RFC 8707 §2, RFC 8693 §2.1); nothing else may.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Names are compared with each other: more would cost more than an answer is worth.
const MOST: usize = 100;
/// Bytes of a value; a whole ID token is a quarter of that.
const LONGEST: usize = 8 * 1024;

#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    malformed: bool,
}

impl Parameters {
    /// Reads a query string or a form.
    #[must_use]
    pub fn parse(encoded: &[u8]) -> Self {
        // What is no UTF-8 would come out as something else than was sent.
        let malformed = percent_encoding::percent_decode(encoded).decode_utf8().is_err();
        let mut parameters = Self { pairs: Vec::new(), malformed };
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if value.is_empty() {
                continue;
            }
            let twice = !REPEATABLE.contains(&&*name) && parameters.get(&name).is_some();
            // PostgreSQL cannot store NUL, and nothing that we give out holds one.
            parameters.malformed |= twice || value.contains('\0') || value.len() > LONGEST;
            if parameters.pairs.len() == MOST {
                parameters.malformed = true;
                break;
            }
            parameters.pairs.push((name.into_owned(), value.into_owned()));
        }
        parameters
    }

    /// Reads the body of a POST; `None` unless it says that it is a form.
    #[must_use]
    pub fn from_form(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        let form = essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
        form.then(|| Self::parse(body))
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// For oxide-auth, which asks in this form.
    #[must_use]
    pub fn cow(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(Cow::Borrowed)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter that may not be was sent twice, or holds what none may, or there are too many.
    #[must_use]
    pub fn malformed(&self) -> bool {
        self.malformed
    }

    /// Whether `name` itself was sent twice.
    #[must_use]
    pub fn is_duplicated(&self, name: &str) -> bool {
        self.all(name).count() > 1
    }

    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// With this value in place of any other.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut parameters = self.without(&[name]);
        parameters.pairs.push((name.to_owned(), value.to_owned()));
        parameters
    }

    /// As they were, form-encoded.
    #[must_use]
    pub fn encode(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_value_is_omitted_and_what_comes_twice_is_noticed() {
        let parameters = Parameters::parse(b"a=1&b=&b=2&resource=x&resource=y");
        assert_eq!(parameters.get("b"), Some("2"));
        assert!(!parameters.malformed());
        assert_eq!(parameters.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert!(Parameters::parse(b"a=1&a=1").malformed());
        assert!(Parameters::parse(b"a=%00").malformed());
        assert!(Parameters::parse(b"a=%FF").malformed() && Parameters::parse(b"a=\xff").malformed());
        assert!(!Parameters::parse(b"a=%C3%A9&b=%EF%BF%BD").malformed());
        assert!(Parameters::parse(b"a=1&%61=2").is_duplicated("a"));
    }

    #[test]
    fn encoding_keeps_every_byte() {
        let sent = "state=-._%7E+a%2Bb%26c%3Dd%C3%A9&x=1";
        let encoded = Parameters::parse(sent.as_bytes()).encode();
        let again = Parameters::parse(encoded.as_bytes());
        assert_eq!(again.get("state"), Some("-._~ a+b&c=d\u{e9}"));
        assert_eq!(again.get("x"), Some("1"));
    }
}
