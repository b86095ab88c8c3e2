//! Asking for single claims: the `claims` parameter, OpenID Connect Core §5.5.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::standard_claims::ABOUT_PEOPLE;
use crate::{oauth2::scope, store::Words};

/// What the `claims` parameter asks for, as far as we can answer it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// `userinfo:email`, `id_token:name`; sorted.
    pub words: Words,
    /// Whom the ID token must be about.
    pub sub: Option<String>,
    /// `acr` is essential, and must be one of these.
    pub essential_acr: Option<Vec<String>>,
}

impl Requested {
    /// Reads the parameter. What is unknown is ignored (§5.5); `Err` says why it is malformed.
    pub fn parse(text: Option<&str>) -> Result<Self, &'static str> {
        let Some(text) = text else { return Ok(Self::default()) };
        const MALFORMED: &str = "claims is not a JSON object of the right form";
        // By way of a map: serde would take `[]` for a struct without members.
        let members: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(|_| MALFORMED)?;
        let parameter: Parameter = serde_json::from_value(members.into()).map_err(|_| MALFORMED)?;
        let mut words = Vec::new();
        for (place, wanted) in [("id_token", &parameter.id_token), ("userinfo", &parameter.userinfo)] {
            let known = ABOUT_PEOPLE.iter().filter(|(claim, _)| wanted.contains_key(*claim));
            words.extend(known.map(|(claim, _)| format!("{place}:{claim}")));
        }
        words.sort();
        let wanted = |claim: &str| parameter.id_token.get(claim).and_then(Option::as_ref);
        let essential_acr = wanted("acr").filter(|acr| acr.essential).map(Wanted::values);
        Ok(Self {
            words: Words(words),
            sub: wanted("sub").and_then(|sub| sub.values().into_iter().next()),
            essential_acr: essential_acr.filter(|values| !values.is_empty()),
        })
    }

    /// Without the claims that belong to scopes outside of `scope`: what a client may not ask for by a scope,
    /// it may not ask for one by one either.
    #[must_use]
    pub fn within(mut self, scope: &str) -> Self {
        let allowed = |word: &String| {
            let claim = word.split_once(':').map(|(_, claim)| claim);
            ABOUT_PEOPLE.iter().any(|(have, by)| Some(*have) == claim && scope::has(scope, by))
        };
        self.words.0.retain(allowed);
        self
    }

    /// The scopes that would ask for as much: what consent is asked in.
    pub fn scopes(&self) -> impl Iterator<Item = &'static str> {
        let asked = |claim: &str| self.words.0.iter().any(|word| word.ends_with(&format!(":{claim}")));
        ABOUT_PEOPLE.iter().filter(move |(claim, _)| asked(claim)).map(|(_, scope)| *scope)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameter {
    userinfo: BTreeMap<String, Option<Wanted>>,
    id_token: BTreeMap<String, Option<Wanted>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    essential: bool,
    value: Option<Value>,
    values: Vec<Value>,
}

impl Wanted {
    fn values(&self) -> Vec<String> {
        self.value.iter().chain(&self.values).filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_kept_and_what_is_not_is_ignored() {
        let text = r#"{"userinfo": {"email": null, "shoe_size": null, "name": {"essential": true}},
            "id_token": {"email": {"value": "x"}, "acr": {"essential": true, "values": ["a", 1]}, "sub": {"value": "me"}},
            "unknown": 1}"#;
        let requested = Requested::parse(Some(text)).unwrap();
        assert_eq!(requested.words.to_string(), "id_token:email userinfo:email userinfo:name");
        assert_eq!(requested.scopes().collect::<Vec<_>>(), ["profile", "email"]);
        assert_eq!(requested.sub.as_deref(), Some("me"));
        assert_eq!(requested.essential_acr.as_deref(), Some(&["a".to_owned()][..]));
        assert_eq!(Requested::parse(None).unwrap(), Requested::default());
        let voluntary = r#"{"id_token": {"acr": {"values": ["a"]}}}"#;
        assert_eq!(Requested::parse(Some(voluntary)).unwrap(), Requested::default());
        for malformed in
            ["", "x", "[]", "1", r#"{"userinfo": 1}"#, r#"{"id_token": {"acr": {"essential": "yes"}}}"#]
        {
            assert!(Requested::parse(Some(malformed)).is_err(), "{malformed}");
        }
    }
}
