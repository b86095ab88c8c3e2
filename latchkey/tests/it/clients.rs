//! Client libraries that nobody here wrote, against the real binary. `idp/tests/clients/install` fetches them.

use std::{path::Path, process::Command};

use platform::{
    on_each_database,
    testing::{self, skip},
};

use crate::{
    person::{App, Person, REDIRECT_URI},
    support::Place,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../idp/tests/clients");

/// Runs a script for somebody who has just signed up. What it says is shown when it fails.
async fn passes(place: &Place, app: &[(&str, &str)], interpreter: &str, script: &str) {
    let browser = Person::at(&place.idp);
    let email = format!("{script}@example.com");
    browser.sign_up(&email).await.unwrap();
    let mut command = self::command(place, interpreter, script);
    command.envs(app.iter().copied()).env("EMAIL", &email).env("COOKIE", browser.cookie_header());
    succeeds(command);
}

fn command(place: &Place, interpreter: &str, script: &str) -> Command {
    let scripts = Path::new(SCRIPTS);
    let mut command = Command::new(interpreter);
    command.arg(scripts.join(script)).current_dir(place.dir.path());
    command.env("PYTHONPATH", scripts.join("python")).env("ISSUER", &place.idp).env("API", &place.api);
    command
}

fn succeeds(mut command: Command) {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
}

fn are_installed() -> bool {
    let installed = ["node_modules", "python"].iter().all(|part| Path::new(SCRIPTS).join(part).exists());
    if !installed {
        skip("clients", "the client libraries were not found (idp/tests/clients/install)");
    }
    installed
}

on_each_database! {
    async fn libraries_that_others_wrote_find_nothing_wrong(db) {
        if !are_installed() {
            return;
        }
        let place = Place::on(db).await;
        let clients = "client = 'gateway'\nsubject_client = 'app'";
        let rule = format!("[[idp.token_exchange]]\n{clients}\naudience = '{}'", place.api);
        std::fs::write(place.dir.path().join("latchkey.toml"), rule).unwrap();
        let node = place.start().await;
        let app = App::register(&place);
        let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
        let added = place.run(&["client", "add", "gateway", "--scope", "tasks:read", "--grant-type", grant]);
        let gateway = added.good().value("client_secret");
        let environment = [&app.environment()[..], &[("GATEWAY_SECRET", &gateway)]].concat();
        for script in ["oauth4webapi.mjs", "openid-client.mjs"] {
            passes(&place, &environment, "node", script).await;
        }
        passes(&place, &environment, "python3", "authlib_client.py").await;
        node.stop().await;
    }

    async fn openid_client_signs_who_it_is(db) {
        if !are_installed() {
            return;
        }
        let place = Place::on(db).await;
        let node = place.start().await;
        let mut keys = command(&place, "node", "private-key-jwt.mjs");
        keys.arg("keys");
        succeeds(keys);
        let scope = ["--scope", "tasks:read", "--grant-type", "client_credentials"];
        let added = place.run(&[&["client", "add", "bank", "--jwks-file", "jwks.json"], &scope[..]].concat()).good();
        assert!(!added.stdout.contains("lks_") && added.stdout.contains("private_key_jwt"), "{}", added.stdout);
        let mut client = command(&place, "node", "private-key-jwt.mjs");
        client.env("CLIENT_ID", "bank");
        succeeds(client);
        node.stop().await;
    }

    async fn apps_register_themselves(db) {
        if !are_installed() {
            return;
        }
        let place = Place::on(db).await;
        let node = place.start().await;
        let token = place.run(&["client", "registration-token", "--uses", "2"]).good().value("initial_access_token");
        let mut apps = command(&place, "node", "registration.mjs");
        apps.env("REDIRECT_URI", REDIRECT_URI).env("INITIAL_ACCESS_TOKEN", token);
        succeeds(apps);
        node.stop().await;
    }

    async fn tokens_are_bound_to_the_keys_of_apps_that_can(db) {
        if !are_installed() {
            return;
        }
        for nonces in ["false", "true"] {
            let db = if db.url.starts_with("sqlite") { testing::sqlite() } else { testing::postgres().await.unwrap() };
            let mut place = Place::on(db).await;
            place.set("IDP__REQUIRE_DPOP_NONCE", nonces);
            let node = place.start().await;
            let scope = ["--first-party", "--redirect-uri", REDIRECT_URI, "--scope", "openid email tasks:read offline_access"];
            place.run(&[&["client", "add", "spa", "--public"], &scope[..]].concat()).good();
            let mut keys = command(&place, "node", "private-key-jwt.mjs");
            keys.arg("keys");
            succeeds(keys);
            let bank = ["client", "add", "bank", "--jwks-file", "jwks.json", "--profile", "fapi2", "--id-token-signed-response-alg", "ES256", "--require-signed-request-object"];
            place.run(&[&bank[..], &scope].concat()).good();
            for (client, script) in [("spa", "dpop.mjs"), ("bank", "fapi2.mjs")] {
                passes(&place, &[("CLIENT_ID", client), ("REDIRECT_URI", REDIRECT_URI)], "node", script).await;
            }
            node.stop().await;
        }
    }
}
