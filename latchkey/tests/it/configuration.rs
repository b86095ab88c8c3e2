//! Configuration: mistakes are told all at once, and docs/configuration.md says what is true.

use std::{collections::BTreeSet, fmt::Debug, path::Path};

use figment::{
    Figment,
    error::Kind,
    providers::{Format, Toml},
};
use serde_json::Value;

use crate::{https::Authority, support::Place};

#[test]
fn config_check_tells_every_mistake_at_once() {
    let place = Place::new();
    let toml = "
        [idp]
        isuer = 'http://localhost:9000'
        [api]
        public_url = 'http://api.example.com'
        [web]
        listen = 'everywhere'
        [log]
        filter = 'info,,=!'";
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    let mut command = place.command(["config", "check"]);
    for name in ["IDP__ISSUER", "API__PUBLIC_URL", "WEB__PUBLIC_URL"] {
        command.env_remove(format!("LATCHKEY_{name}"));
    }
    let output = command.env("LATCHKEY_WEB_NAME", "x").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for expected in [
        "latchkey: idp.isuer: there is no such key; did you mean idp.issuer? (in latchkey.toml)",
        "latchkey: api.public_url: http is only for this machine (localhost); use https",
        "latchkey: web.listen: must be a list, not a text (in latchkey.toml)",
        "latchkey: log.filter: ",
        "latchkey: LATCHKEY_WEB_NAME: two underscores stand between section and key: LATCHKEY_WEB__NAME",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert_eq!(text.lines().count(), 5, "{text}");
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let place = Place::new();
    let failure = place.run(&["--config", "missing.toml", "config", "check"]).failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(failure[0].starts_with("missing.toml: cannot be read"), "{failure:?}");
    place.run(&["config", "check"]).good();
}

#[test]
fn a_configuration_that_is_not_toml_is_one_sentence() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("latchkey.toml"), "[idp\n").unwrap();
    let failure = place.run(&[]).failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(failure[0].starts_with("latchkey.toml: line 1 is not TOML"), "{failure:?}");
}

#[test]
fn flags_win_over_the_environment() {
    let mut place = Place::new();
    place.set("API__ISSUER", "https://from.environment");
    let failure = place.run(&["api", "--issuer", "gopher://from.flag"]).failure();
    assert_eq!(failure, ["api.issuer: must be an https URL"]);
}

#[test]
fn one_address_is_enough() {
    let mut place = Place::new();
    place.run(&["config", "check"]).good();
    // What follows from a wrong address is not told again.
    place.set("IDP__ISSUER", "http://id.example.com");
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure, ["idp.issuer: http is only for this machine (localhost); use https"]);
    // The web UI would get tokens that the API refuses.
    place.set("IDP__ISSUER", "https://id.example.com");
    place.set("API__AUDIENCE", "tasks");
    let failure = place.run(&["config", "check"]).failure();
    assert!(failure.len() == 2 && failure[0].starts_with("idp.mail.host: is needed"), "{failure:?}");
    place.set("IDP__MAIL__HOST", "mail.example.com");
    place.set("IDP__MAIL__FROM", "Latchkey <no-reply@example.com>");
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(failure[0].starts_with("web.api_url: "), "{failure:?}");
}

#[test]
fn what_mail_needs_is_said() {
    let good = [("HOST", "mail.example.com"), ("FROM", "Latchkey <no-reply@example.com>")];
    type Changes = &'static [(&'static str, &'static str)];
    let wrong: [(Changes, &[&str]); 11] = [
        (&[], &[]),
        (&[("USERNAME", "latchkey"), ("PASSWORD", "secret")], &[]),
        (&[("HOST", "localhost"), ("TLS", "none")], &[]),
        (&[("TLS", "none")], &["tls"]),
        (&[("TLS", "maybe")], &["tls"]),
        (&[("HOST", "mail example")], &["host"]),
        (&[("FROM", "nobody")], &["from"]),
        (&[("USERNAME", "latchkey")], &["username"]),
        (&[("USERNAME", "latchkey"), ("PASSWORD_FILE", "missing")], &["password_file"]),
        (&[("PORT", "0"), ("TIMEOUT", "0")], &["port", "timeout"]),
        (&[("CA_FILE", "missing")], &["ca_file"]),
    ];
    for (change, keys) in wrong {
        let mut place = Place::new();
        for (key, value) in good.iter().chain(change) {
            place.set(&format!("IDP__MAIL__{key}"), value);
        }
        let output = place.run(&["config", "check"]);
        if keys.is_empty() {
            output.good();
            continue;
        }
        let failure = output.failure();
        let said: Vec<&str> = failure.iter().map(|line| line.split(':').next().unwrap()).collect();
        let expected: Vec<String> = keys.iter().map(|key| format!("idp.mail.{key}")).collect();
        assert_eq!(said, expected, "{change:?}: {failure:?}");
    }
}

#[test]
fn two_services_cannot_have_one_port_nor_an_api_scopes_that_are_none() {
    let mut place = Place::new();
    let idp = place.idp.clone();
    place.set("API__PUBLIC_URL", &idp);
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure, ["api.listen: is an address of idp.listen, too"]);

    let place = Place::new();
    let toml = "[[idp.resources]]
        identifier = 'https://a.example'
        scopes = ['a b', 'files:read', 'openid', '', 'x\"y']
        [[idp.resources]]
        identifier = 'https://a.example'";
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    let failure = place.run(&["config", "check"]).failure();
    let (scopes, twice): (Vec<_>, Vec<_>) =
        failure.iter().partition(|line| line.contains("resources[0].scopes"));
    assert_eq!(
        (scopes.len(), twice),
        (4, vec![&"idp.resources[1].identifier: is used twice".to_owned()]),
        "{failure:?}"
    );
}

#[test]
fn rules_for_exchanging_tokens_have_to_make_sense() {
    let place = Place::new();
    let toml = "[[idp.clients]]
        client_id = 'shop'
        redirect_uris = ['https://shop.example/cb']
        [[idp.token_exchange]]
        client = 'shop'
        subject_client = []
        subject_audience = 'https://shop.example/#top'
        audience = ['https://stock.example', 'stock']
        [[idp.token_exchange]]
        client = 'registered-later'
        subject_client = 'shop'
        audience = 'https://stock.example'";
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    let failure = place.run(&["config", "check"]).failure();
    let keys: Vec<&str> = failure.iter().map(|line| line.split(':').next().unwrap()).collect();
    let wrong = ["client", "subject_client", "subject_audience", "audience"];
    assert_eq!(keys, wrong.map(|key| format!("idp.token_exchange[0].{key}")), "{failure:?}");
    let toml = "[[idp.token_exchange]]
        client = 'gateway'
        subject_client = 7
        audience = 'https://stock.example'";
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure[0], "idp.token_exchange[0].subject_client: a text or a list of texts");
}

/// They may be registered later: this is no mistake.
#[tokio::test]
async fn rules_for_exchanging_tokens_that_name_nobody_are_said_at_start() {
    let place = Place::new();
    let toml = "[[idp.clients]]
        client_id = 'shop'
        redirect_uris = ['https://shop.example/cb']
        audience = 'https://shop.example'
        [[idp.resources]]
        identifier = 'https://stock.example'
        [[idp.token_exchange]]
        client = 'getaway'
        subject_client = ['shop', 'shpo']
        subject_audience = 'https://shop.example'
        audience = ['https://stock.example', 'https://stokc.example']";
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    place.run(&["config", "check"]).good();
    place.run(&["client", "add", "bare", "--grant-type", "client_credentials"]).good();
    let said = async || {
        let node = place.spawn(&["idp"]);
        node.wait_for_output("identity provider is running").await;
        let log = node.log();
        node.stop().await;
        log.matches("idp.token_exchange[0].").count()
    };
    assert_eq!(said().await, 3, "getaway, shpo, stokc");
    let mended =
        toml.replace("getaway", "bare").replace(", 'shpo'", "").replace(", 'https://stokc.example'", "");
    std::fs::write(place.dir.path().join("latchkey.toml"), mended).unwrap();
    assert_eq!(said().await, 1, "bare has another grant type");
}

#[test]
fn what_clients_declare_that_could_never_be_reached_is_a_mistake() {
    let mut place = Place::new();
    let declare = |issuer: &str, logout: &str, jwks: &str, allowed: &str| {
        let toml = format!(
            "[idp.outbound]
            allowed_addresses = [{allowed}]
            [[idp.clients]]
            client_id = 'shop'
            redirect_uris = ['https://shop.example/cb']
            backchannel_logout_uri = '{logout}'
            jwks_uri = '{jwks}'"
        );
        place.set("IDP__ISSUER", issuer);
        place.set("IDP__MAIL__HOST", "mail.example.com");
        place.set("IDP__MAIL__FROM", "no-reply@example.com");
        std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
        place.run(&["config", "check"])
    };
    let (public, own) = ("https://id.example", "http://localhost:9000");
    let mut declare = declare;
    for logout in ["http://localhost:3000/x", "http://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.1/x"] {
        for (jwks, mistakes) in [("https://shop.example/keys", 1), (logout, 2)] {
            let failure = declare(public, logout, jwks, "").failure();
            assert_eq!(failure.len(), mistakes, "{failure:?}");
            assert!(failure.iter().all(|line| line.starts_with("idp.clients[0].")), "{failure:?}");
        }
        assert_eq!(declare(own, logout, "https://shop.example/keys", "").failure().len(), 1, "{logout}");
        let allowed = "'127.0.0.0/8', '::1/128', '10.0.0.0/8'";
        declare(own, logout, logout, allowed).good();
        let by_https = logout.starts_with("https:");
        assert_eq!(declare(public, logout, logout, allowed).status.success(), by_https, "{logout}");
    }
    declare(public, "https://shop.example/x", "https://shop.example/keys", "").good();
}

/// Each documented key with its documented default makes the configuration that no configuration makes.
#[test]
fn the_configuration_reference_has_every_key_and_its_default() {
    let text = include_str!("../../../docs/configuration.md");
    let documented: Vec<(String, String)> = text.lines().filter_map(row).collect();
    let toml: Vec<String> = documented
        .iter()
        .filter(|(_, default)| default != "none")
        .map(|(key, default)| format!("{key} = {default}"))
        .collect();
    let toml = toml.join("\n");
    let section = |name: &str| Figment::from(Toml::string(&toml)).focus(name);
    same(&section("idp").extract::<idp::Config>().unwrap(), &idp::Config::default());
    same(&section("api").extract::<api::Config>().unwrap(), &api::Config::default());
    same(&section("web").extract::<web::Config>().unwrap(), &web::Config::default());

    let documented: BTreeSet<String> = documented.into_iter().map(|(key, _)| key).collect();
    let mut known = BTreeSet::new();
    keys::<idp::Config>("idp", &mut known);
    keys::<api::Config>("api", &mut known);
    keys::<web::Config>("web", &mut known);
    known.insert("log.filter".to_owned());
    assert_eq!(documented, known);
}

fn same<T: Debug>(documented: &T, real: &T) {
    assert_eq!(format!("{documented:#?}"), format!("{real:#?}"));
}

/// "| `idp.issuer` | text | `\"http://localhost:9000\"` | …" as (key, default).
fn row(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let key = cells.next()?.trim_end_matches('`');
    let default = cells.nth(1)?.trim_matches('`');
    let section = key.split('.').next()?;
    ["idp", "api", "web", "log"].contains(&section).then(|| (key.to_owned(), default.to_owned()))
}

/// Every key below `prefix`: serde names them when it meets one that it does not know.
fn keys<T: serde::de::DeserializeOwned + Debug>(prefix: &str, known: &mut BTreeSet<String>) {
    for name in unknown_field::<T>(&[]) {
        let inner = unknown_field::<T>(&[name]);
        if inner.is_empty() {
            known.insert(format!("{prefix}.{name}"));
        }
        known.extend(inner.iter().map(|inner| format!("{prefix}.{name}.{inner}")));
    }
}

fn unknown_field<T: serde::de::DeserializeOwned + Debug>(path: &[&str]) -> &'static [&'static str] {
    let wrong = path.iter().rev().fold(serde_json::json!({ "no such key": 1 }), |inner, name| {
        let mut outer = serde_json::Map::new();
        outer.insert((*name).to_owned(), inner);
        Value::Object(outer)
    });
    let value = figment::value::Value::serialize(wrong).unwrap();
    match value.deserialize::<T>().unwrap_err().kind {
        Kind::UnknownField(_, known) => known,
        _ => &[],
    }
}

/// What the reference shows as a whole file is a configuration that is accepted.
#[test]
fn the_examples_in_the_documents_are_accepted() {
    let documents = [
        "docs/configuration.md",
        "docs/delegation.md",
        "docs/operations.md",
        "docs/upstream.md",
        "README.md",
    ];
    for document in documents {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
        let text = std::fs::read_to_string(&file).unwrap();
        for example in text.split("```toml\n").skip(1) {
            let example = example.split("```").next().unwrap();
            let place = Place::new();
            let (certificate, key) = Authority::new().issue(place.dir.path());
            let example = example
                .replace("/etc/letsencrypt/live/example.com/fullchain.pem", certificate.to_str().unwrap())
                .replace("/etc/letsencrypt/live/example.com/privkey.pem", key.to_str().unwrap());
            std::fs::write(place.dir.path().join("example.toml"), &example).unwrap();
            // Secrets that are in files are read by the check.
            for line in example.lines().filter(|line| line.contains("_file = ")) {
                let file = line.split('"').nth(1).unwrap();
                std::fs::write(place.dir.path().join(file), "a-secret-that-is-long-enough-0123456789")
                    .unwrap();
            }
            let mut command = place.command(["--config", "example.toml", "config", "check"]);
            for name in ["IDP__ISSUER", "API__PUBLIC_URL", "WEB__PUBLIC_URL"] {
                command.env_remove(format!("LATCHKEY_{name}"));
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{document}:\n{example}\n{output:?}");
        }
    }
}
