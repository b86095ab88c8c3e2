use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    door: Door,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Door {
    issuer: String,
    secret: Option<SecretString>,
    listen: Vec<SocketAddr>,
    width: u16,
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its reading is tested")]
struct Key {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    filter: String,
}

fn read(toml: &str, environment: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let file = std::env::temp_dir().join(format!("latchkey-settings-{}.toml", uuid::Uuid::new_v4()));
    std::fs::write(&file, toml).unwrap();
    let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let variables = Variables { prefix: "T_", sections: &["door", "log"] };
    let mut mistakes = Mistakes::default();
    let settings = Settings::read(Some(&file), environment, variables, &mut mistakes);
    std::fs::remove_file(&file).unwrap();
    (settings, texts(&mistakes, &file))
}

fn texts(mistakes: &Mistakes, file: &Path) -> Vec<String> {
    let file = file.display().to_string();
    mistakes.0.iter().map(|mistake| mistake.to_string().replace(&file, "FILE")).collect()
}

fn extract(toml: &str, environment: &[(&str, &str)]) -> (Config, Vec<String>) {
    let (settings, mut found) = read(toml, environment);
    let mut mistakes = Mistakes::default();
    let config = settings.extract(&mut mistakes);
    for mistake in texts(&mistakes, Path::new("nowhere")) {
        let (text, _) = mistake.split_once(" (in /").unwrap_or((&mistake, ""));
        found.push(text.to_owned());
    }
    (config, found)
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let toml = "[door]\nissuer = 'file'\nwidth = 1";
    let (mut settings, mistakes) = read(toml, &[("T_DOOR__ISSUER", "environment"), ("PATH", "x")]);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    settings.default_to("door.issuer", "default");
    settings.default_to("log.filter", "default");
    let config: Config = settings.extract(&mut Mistakes::default());
    assert_eq!((config.door.issuer.as_str(), config.door.width), ("environment", 1));
    assert_eq!(config.log.filter, "default");
    settings.set("door.issuer", "flag");
    assert_eq!(settings.text("door.issuer").as_deref(), Some("flag"));
}

#[test]
fn variables_are_read_as_their_key_wants_them() {
    let (config, mistakes) = extract(
        "",
        &[
            ("T_DOOR__SECRET", "0123"),
            ("T_DOOR__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("T_DOOR__ISSUER", "true"),
            ("T_DOOR__WIDTH", "7"),
        ],
    );
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert_eq!(config.door.secret.unwrap().expose_secret(), "0123");
    assert_eq!(config.door.listen.len(), 2);
    assert_eq!((config.door.issuer.as_str(), config.door.width), ("true", 7));
}

#[test]
fn every_mistake_is_reported_and_what_is_right_is_kept() {
    let toml = "
        [door]
        isuer = 'x'
        listen = ['nonsense', '127.0.0.1:80']
        secret = 12345
        keys = [{ id = 'a' }, { ids = 'b' }]
        [log]
        filter = 'info'
        colour = 'red'
        [dor]
        issuer = 'y'";
    let (config, mistakes) = extract(toml, &[("T_DOOR__WIDTH", "wide"), ("T_LOG_FILTER", "x")]);
    assert_eq!(
        mistakes,
        [
            "T_LOG_FILTER: two underscores stand between section and key: T_LOG__FILTER",
            "door.isuer: there is no such key; did you mean door.issuer?",
            "door.keys[1].ids: there is no such key; did you mean door.keys[1].id?",
            "door.keys[1]: id is missing",
            "door.listen[0]: invalid socket address syntax",
            "door.secret: must be a text, not a number",
            "door.width: must be a whole number, not a text (in T_DOOR__WIDTH)",
            "dor: there is no such key; did you mean door?",
            "log.colour: there is no such key; there are filter",
        ]
    );
    assert_eq!(config.log.filter, "info");
}

#[test]
fn a_file_that_is_not_toml_is_one_clear_sentence() {
    let (_, mistakes) = read("[door]\nissuer = \n", &[]);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("FILE: line 2 is not TOML: "), "{mistakes:?}");
    assert!(!mistakes[0].contains('\n'), "{mistakes:?}");
}
