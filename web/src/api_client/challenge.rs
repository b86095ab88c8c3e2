//! What the API demands of a log-in: the challenge of RFC 9470 §3.

use axum::http::HeaderMap;
use axum::http::header::WWW_AUTHENTICATE;

/// A log-in that the API would be content with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Seconds, as they were written.
    pub(crate) max_age: Option<String>,
    /// Space-separated.
    pub(crate) acr_values: Option<String>,
}

impl Challenge {
    /// Reads an answer's challenges; `None` when none of them is about the log-in.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        challenges.find_map(Self::parse)
    }

    fn parse(challenge: &str) -> Option<Self> {
        let attribute = |name: &str| {
            let start = challenge.find(&format!(" {name}=\""))? + name.len() + 3;
            challenge.get(start..)?.split('"').next().map(str::to_owned)
        };
        (attribute("error")? == "insufficient_user_authentication").then(|| Self {
            max_age: attribute("max_age").filter(|text| text.parse::<u32>().is_ok()),
            acr_values: attribute("acr_values"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_log_in_is_a_demand() {
        let parse = Challenge::parse;
        let demand = |max_age: Option<&str>, acr_values: Option<&str>| {
            Some(Challenge { max_age: max_age.map(str::to_owned), acr_values: acr_values.map(str::to_owned) })
        };
        let error = r#"Bearer realm="tasks", error="insufficient_user_authentication""#;
        assert_eq!(parse(error), demand(None, None));
        assert_eq!(
            parse(&format!(r#"{error}, acr_values="a b", max_age="300""#)),
            demand(Some("300"), Some("a b"))
        );
        assert_eq!(parse(&format!(r#"{error}, max_age="soon""#)), demand(None, None));
        assert_eq!(parse(r#"Bearer realm="tasks", error="invalid_token", max_age="5""#), None);
        assert_eq!(parse(r#"Bearer realm="tasks""#), None);
    }
}
