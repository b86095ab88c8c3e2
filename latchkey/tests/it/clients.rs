//! Client libraries that nobody here wrote, against the real binary. `idp/tests/clients/install` fetches them.

use std::{path::Path, process::Command};

use platform::{on_each_database, testing::skip};

use crate::{
    person::{App, Person},
    support::Place,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../idp/tests/clients");

/// Runs a script for somebody who has just signed up. What it says is shown when it fails.
async fn passes(place: &Place, app: &App, interpreter: &str, script: &str) {
    let scripts = Path::new(SCRIPTS);
    let browser = Person::at(&place.idp);
    let email = format!("{script}@example.com");
    browser.sign_up(&email).await.unwrap();
    let output = Command::new(interpreter)
        .arg(scripts.join(script))
        .env("PYTHONPATH", scripts.join("python"))
        .envs(app.environment())
        .env("ISSUER", &place.idp)
        .env("API", &place.api)
        .env("EMAIL", &email)
        .env("COOKIE", browser.cookie_header())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}: {}{}", said(&output.stdout), said(&output.stderr));
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
        let node = place.start().await;
        let app = App::register(&place);
        for script in ["oauth4webapi.mjs", "openid-client.mjs"] {
            passes(&place, &app, "node", script).await;
        }
        passes(&place, &app, "python3", "authlib_client.py").await;
        node.stop().await;
    }
}
