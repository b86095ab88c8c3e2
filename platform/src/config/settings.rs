//! Reads settings from a file, over it the environment, over it flags, and says everything that is wrong at once.

use std::{collections::BTreeMap, path::Path};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    error::{Actual, Kind},
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};
use serde::de::DeserializeOwned;

use super::Mistakes;

/// Which environment variables are settings: `<prefix><SECTION>__<KEY>`.
#[derive(Clone, Copy, Debug)]
pub struct Variables {
    pub prefix: &'static str,
    /// The sections of the configuration, in lower case.
    pub sections: &'static [&'static str],
}

/// Settings from every source, not yet typed.
#[derive(Debug)]
pub struct Settings {
    figment: Figment,
    /// Keys that the environment set, with the text as it was written there.
    environment: BTreeMap<String, String>,
    variables: Variables,
}

impl Settings {
    /// Reads `file`, then the environment over it. What cannot be read at all becomes a mistake.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        variables: Variables,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut settings = Self { figment: Figment::new(), environment: BTreeMap::new(), variables };
        if let Some(file) = file {
            match read_toml(file) {
                Ok(layer) => settings.figment = Figment::from(layer),
                Err(reason) => mistakes.add(file.display().to_string(), reason),
            }
        }
        for (name, text) in environment {
            settings.read_variable(&name, text, mistakes);
        }
        settings
    }

    fn read_variable(&mut self, name: &str, text: String, mistakes: &mut Mistakes) {
        let Some(rest) = name.strip_prefix(self.variables.prefix) else { return };
        let rest = rest.to_ascii_lowercase();
        let Some((section, key)) = rest.split_once("__") else {
            if let Some((section, key)) =
                rest.split_once('_').filter(|(section, _)| self.variables.sections.contains(section))
            {
                let meant = variable_name(self.variables.prefix, &format!("{section}.{key}"));
                mistakes.add(name, format!("two underscores stand between section and key: {meant}"));
            }
            return;
        };
        let key = format!("{section}.{}", key.replace("__", "."));
        // As in TOML where that makes sense (numbers, booleans, lists), else a text.
        let value = text.parse().unwrap_or_else(|never| match never {});
        self.merge(name.to_owned(), &key, value);
        self.environment.insert(key, text);
    }

    /// Sets a key over every other source: a flag.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.environment.remove(key);
        self.merge("the command line".to_owned(), key, value.into());
    }

    /// Sets a key that no source has set.
    pub fn default_to(&mut self, key: &str, value: impl Into<Value>) {
        let layer = Layer { source: "the defaults".to_owned(), values: nested(key, value.into()) };
        self.figment = std::mem::take(&mut self.figment).join(layer);
    }

    /// The text at `key`, if a source has set one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.figment.find_value(key).ok()?.into_string()
    }

    fn merge(&mut self, source: String, key: &str, value: Value) {
        let layer = Layer { source, values: nested(key, value) };
        self.figment = std::mem::take(&mut self.figment).merge(layer);
    }

    /// The typed configuration. Each thing that is wrong becomes a mistake, and counts as not set.
    pub fn extract<T: DeserializeOwned + Default>(&self, mistakes: &mut Mistakes) -> T {
        let mut values = match self.figment.extract::<Dict>() {
            Ok(values) => Value::from(values),
            Err(error) => {
                mistakes.add("configuration", error.kind.to_string());
                return T::default();
            }
        };
        // Each round takes one value away or makes a scalar of the environment what was expected of it.
        loop {
            let error = match values.deserialize() {
                Ok(config) => return config,
                Err(error) => error,
            };
            if let Some(meant) = self.reread(&error) {
                if let Some(value) = find(&mut values, &error.path) {
                    *value = meant;
                }
                continue;
            }
            let mut message = describe(&error.kind, &error.path);
            if let Some(source) = self.source(&error.path) {
                message = format!("{message} (in {source})");
            }
            mistakes.add(written(&error.path), message);
            if !take_away(&mut values, &error.path) {
                return T::default();
            }
        }
    }

    /// The environment has texts only: `0123` may be a password and `a,b` a list.
    fn reread(&self, error: &Error) -> Option<Value> {
        let Kind::InvalidType(actual, expected) = &error.kind else { return None };
        let text = self.environment.get(&error.path.join("."))?;
        match actual {
            Actual::Str(_) if expected.contains("sequence") => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(Value::from).collect::<Vec<_>>().into())
            }
            Actual::Bool(_) | Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_)
                if expected.contains("string") =>
            {
                Some(text.as_str().into())
            }
            _ => None,
        }
    }

    fn source(&self, path: &[String]) -> Option<String> {
        let key = path.join(".");
        if self.environment.contains_key(&key) {
            return Some(variable_name(self.variables.prefix, &key));
        }
        self.figment.find_metadata(&key).map(|metadata| metadata.name.to_string())
    }
}

/// Some values under one key, and where they come from.
#[derive(Clone)]
struct Layer {
    source: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn read_toml(file: &Path) -> Result<Layer, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let values = Toml::from_str(&text).map_err(|error: <Toml as Format>::Error| {
        let line = error.span().map_or(1, |span| {
            let before = text.get(..span.start).unwrap_or(&text);
            before.matches('\n').count() + 1
        });
        format!("line {line} is not TOML: {}", error.message().replace('\n', ", "))
    })?;
    Ok(Layer { source: file.display().to_string(), values })
}

fn nested(key: &str, value: Value) -> Dict {
    nest(key, value).into_dict().unwrap_or_default()
}

/// `idp.clients[0].name`
fn written(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        match step.parse::<usize>() {
            Ok(index) => text.push_str(&format!("[{index}]")),
            Err(_) if text.is_empty() => text.push_str(step),
            Err(_) => text.push_str(&format!(".{step}")),
        }
    }
    text
}

fn variable_name(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn find<'a>(mut value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    for step in path {
        value = match value {
            Value::Dict(_, entries) => entries.get_mut(step)?,
            Value::Array(_, items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Removes what is at `path`, or else what should have contained it. False: there is nothing left to remove.
///
/// What is in a list takes the list with it: removing one item would renumber the others.
fn take_away(values: &mut Value, path: &[String]) -> bool {
    for length in (1..=path.len()).rev() {
        let Some((last, parents)) = path.get(..length).and_then(<[String]>::split_last) else { continue };
        if let Some(Value::Dict(_, entries)) = find(values, parents)
            && entries.remove(last).is_some()
        {
            return true;
        }
    }
    false
}

fn describe(kind: &Kind, path: &[String]) -> String {
    match kind {
        Kind::UnknownField(name, known) => {
            let section = written(path.get(..path.len().saturating_sub(1)).unwrap_or_default());
            let full =
                |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            match nearest(name, known) {
                Some(meant) => format!("there is no such key; did you mean {}?", full(meant)),
                None => format!("there is no such key; there are {}", known.join(", ")),
            }
        }
        Kind::UnknownVariant(name, known) => format!("{name:?} is not one of {}", known.join(", ")),
        Kind::InvalidType(actual, expected) => {
            format!("must be {}, not {}", expectation(expected), type_name(actual))
        }
        Kind::InvalidValue(_, expected) => format!("must be {}", expectation(expected)),
        Kind::MissingField(name) => format!("{name} is missing"),
        other => other.to_string(),
    }
}

/// serde says `u16` and `a sequence`.
fn expectation(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        other => other,
    }
}

/// Types only: the value may be a secret.
fn type_name(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "this",
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::osa_distance(name, candidate);
    let closest = known.iter().copied().min_by_key(|candidate| distance(candidate))?;
    (distance(closest) <= 2.max(name.len() / 3)).then_some(closest)
}

#[cfg(test)]
mod tests;
