//! The pages that people meet on an ordinary day, as axe-core sees them: light and dark, on a phone, a tablet and a desktop.

mod second_factor;

use std::path::Path;

use platform::testing::{Browser, Options, browser, skip};
use serde_json::{Value, json};

use crate::{
    person::PASSWORD,
    support::{Node, Place, http},
    visitor::Visitor,
};

const WIDTHS: [u32; 3] = [360, 768, 1280];
const LONG: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
const RIGHT_TO_LEFT: &str = "לקנות חלב ולחם";

/// axe-core's source; `None` ("skipped: …") before `npm ci` was run in tests/axe.
fn axe() -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/axe/node_modules/axe-core/axe.min.js");
    let source = std::fs::read_to_string(file).ok();
    if source.is_none() {
        skip("axe", "axe-core was not found (npm ci --prefix latchkey/tests/axe)");
    }
    source
}

/// A browser whose pages are looked at, and what was found wrong.
struct Inspector<'a> {
    browser: &'a Browser,
    axe: &'a str,
}

impl Inspector<'_> {
    async fn open(&self, url: &str, what: &str) {
        self.browser.goto(url).await.unwrap();
        self.inspect(what).await;
    }

    /// The page that is shown now must be without fault at every width, light and dark.
    async fn inspect(&self, what: &str) {
        self.browser.wait_css("h1").await;
        for width in WIDTHS {
            for dark in [false, true] {
                self.browser.resize(width, 900, dark).await;
                let seen = format!("{what}, {width} pixels, {}", if dark { "dark" } else { "light" });
                let violations = self.violations().await;
                assert_eq!(violations, json!([]), "{seen}: {}", self.browser.address().await);
                let wide = self.run("return document.documentElement.scrollWidth").await;
                assert!(wide.as_u64().unwrap() <= width.into(), "{seen}: scrolls sideways ({wide})");
            }
        }
    }

    async fn violations(&self) -> Value {
        self.run(&format!("if (!window.axe) {{ {} }}", self.axe)).await;
        let script = "const done = arguments[0];
            axe.run({ resultTypes: ['violations'] }).then(
              ({ violations }) => done(violations.map(({ id, nodes }) =>
                [id, ...nodes.map(node => node.html + ' ' + node.failureSummary)])),
              error => done(String(error)))";
        self.browser.execute_async(script, Vec::new()).await.unwrap()
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap()
    }

    async fn submit(&self, button: &str) {
        self.browser.click(button).await;
    }
}

/// The pages on which people become known.
async fn enter(see: &Inspector<'_>, place: &Place) {
    let Place { idp, web, .. } = place;
    see.open(idp, "landing of the identity provider").await;
    see.open(web, "landing of the web UI").await;
    see.open(&format!("{idp}/login"), "log-in").await;
    see.browser.fill("email", "nobody@example.com").await;
    see.browser.fill("password", "not the password").await;
    see.submit("#login-submit").await;
    see.browser.wait_css("[role=alert]").await;
    see.inspect("refused log-in").await;
    see.open(&format!("{idp}/forgot"), "forgotten password").await;
    see.submit("#forgot-submit").await;
    see.browser.wait_css("#email[aria-invalid=true]").await;
    see.inspect("refused request of a new password").await;
    see.browser.fill("email", "nobody@example.com").await;
    see.submit("#forgot-submit").await;
    see.browser.wait_for_address(&format!("{idp}/forgot/sent")).await;
    see.inspect("mail was promised").await;
    see.open(&format!("{idp}/dev/mail"), "mailbox without mail").await;
    see.open(&format!("{idp}/reset"), "link that is no longer good").await;
    see.open(&format!("{idp}/signup"), "sign-up").await;
    see.browser.fill("email", "no address").await;
    see.browser.fill("password", "password").await;
    see.submit("#signup-submit").await;
    see.browser.wait_css("#email[aria-invalid=true]").await;
    see.inspect("refused sign-up").await;

    see.browser.goto(&format!("{web}/signup")).await.unwrap();
    see.browser.wait_for_address(idp).await;
    see.browser.fill("name", LONG).await;
    see.browser.fill("email", "ada@example.com").await;
    see.browser.fill("password", PASSWORD).await;
    see.submit("#signup-submit").await;
    see.browser.wait_for_address(&format!("{web}/tasks")).await;
    see.open(&format!("{idp}/account/email"), "address that is not confirmed").await;
    see.open(&format!("{idp}/dev/mail"), "mailbox").await;
    see.submit("article a").await;
    see.browser.wait_css("#link-confirm").await;
    see.inspect("link of a mail").await;
    see.submit("#link-confirm").await;
    see.browser.wait_for_text("Your address is confirmed").await;
    see.inspect("confirmed address").await;
    see.browser.goto(&format!("{web}/tasks")).await.unwrap();
}

async fn work(see: &Inspector<'_>, place: &Place) {
    let web = &place.web;
    see.inspect("no tasks yet").await;
    for title in [RIGHT_TO_LEFT, LONG, "Water the plants"] {
        see.browser.fill("title", title).await;
        see.browser.fill("description", &format!("{title}. {title}.")).await;
        see.submit("#task-create").await;
        see.browser.wait_css(&format!("[aria-label='Edit: {title}']")).await;
    }
    see.submit(&format!("[aria-label='Done: {LONG}']")).await;
    see.browser.wait_css(&format!("[aria-label='Done: {LONG}'][aria-pressed=true]")).await;
    see.inspect("tasks, one of them done, and a toast").await;
    for (button, dialog) in [("Edit", "#edit-title"), ("Delete", "#delete-confirm")] {
        let button = format!("[aria-label='{button}: {LONG}']");
        let page = see.run(&format!("return document.querySelector(\"{button}\").form.action")).await;
        see.submit(&button).await;
        see.browser.wait_css(dialog).await;
        see.inspect(&format!("{dialog} in a dialog")).await;
        see.open(page.as_str().unwrap(), &format!("{dialog} on a page")).await;
        see.browser.goto(&format!("{web}/tasks")).await.unwrap();
    }
    see.open(&format!("{web}/tasks?q=nothing-like-that"), "a search that finds nothing").await;
    see.open(&format!("{web}/tasks?filter=done"), "what is done").await;
    see.open(&format!("{web}/nothing"), "not found in the web UI").await;
}

/// Everything else of the identity provider, for somebody who is logged in.
async fn account(see: &Inspector<'_>, place: &Place) {
    let Place { idp, .. } = place;
    see.open(&format!("{idp}/account"), "the account").await;
    let consent = "client_id=shop&redirect_uri=http://localhost:9/cb&response_type=code&scope=openid+profile+email\
                   &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    see.open(&format!("{idp}/authorize?{consent}"), "consent").await;
    see.open(&format!("{idp}/authorize?client_id=nobody"), "an error page").await;
    see.open(&format!("{idp}/nothing"), "not found at the identity provider").await;
    see.open(&format!("{idp}/logout?client_id=shop&state=x"), "log-out, asked").await;
    see.submit("#logout-confirm").await;
    see.browser.wait_for_text("You are logged out").await;
    see.inspect("logged out").await;
}

/// Passkeys, in an authenticator that does at once what it is asked.
async fn passkeys(see: &Inspector<'_>, place: &Place) {
    let at = format!("{}/account/passkeys", place.idp);
    see.browser.cdp("WebAuthn.enable", json!({ "enableUI": false })).await;
    let options = json!({
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
        "isUserVerified": true, "automaticPresenceSimulation": true,
    });
    see.browser.cdp("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
    see.open(&at, "no passkeys yet").await;
    see.open(&format!("{at}/add"), "adding a passkey").await;
    see.browser.fill("name", &LONG[..60]).await;
    see.submit("#passkey-create").await;
    see.browser.wait_for_text("not used yet").await;
    see.inspect("a passkey").await;
    see.submit("[aria-label^=Change]").await;
    see.browser.wait_css("#passkey-remove").await;
    see.inspect("one passkey").await;
    see.browser.fill("name", "").await;
    see.submit("#passkey-rename").await;
    see.browser.wait_css("#name-error").await;
    see.inspect("a passkey without a name").await;
    see.open(&format!("{at}/add"), "adding another passkey").await;
    see.submit("#passkey-create").await;
    see.browser.wait_css("[role=alert]:not([hidden])").await;
    see.inspect("a passkey that could not be added").await;
    see.browser.cdp("WebAuthn.disable", json!({})).await;
}

/// Connecting a device, whose app has a long name.
async fn connect(see: &Inspector<'_>, place: &Place) {
    let Place { idp, .. } = place;
    let request = http().post(format!("{idp}/device_authorization")).form(&[("client_id", "tv")]);
    let asked: Value = request.send().await.unwrap().json().await.unwrap();
    see.open(&format!("{idp}/device"), "connecting a device").await;
    see.browser.fill("code", "BBBB-BBBB").await;
    see.submit("#device-submit").await;
    see.browser.wait_css("#code-error").await;
    see.inspect("a code that nobody knows").await;
    see.open(asked["verification_uri_complete"].as_str().unwrap(), "a code that came with the link").await;
    see.submit("#device-submit").await;
    see.browser.wait_css("#device-confirm").await;
    see.inspect("a device that waits for an answer").await;
    see.submit("#device-confirm").await;
    see.browser.wait_for_text("Your device is connected").await;
    see.inspect("a device that was connected").await;
}

/// What people do with their account by themselves; a device is connected to it, and a phone is logged in.
async fn settings(see: &Inspector<'_>, place: &Place) {
    let Place { idp, .. } = place;
    let android = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0";
    let phone = reqwest::Client::builder().user_agent(android).redirect(reqwest::redirect::Policy::none());
    let phone = Visitor::with(phone.build().unwrap());
    let login = phone.get(format!("{idp}/login")).await;
    phone.log_in(&login, "ada@example.com", PASSWORD).await;
    for (page, what) in [
        ("profile", "the profile"),
        ("security", "how the account is protected"),
        ("sessions", "where one is logged in"),
        ("apps", "apps with access, one of them on a device"),
        ("data", "one's data"),
        ("data/delete", "deleting the account, asked"),
    ] {
        see.open(&format!("{idp}/account/{page}"), what).await;
    }
    see.browser.goto(&format!("{idp}/account/profile")).await.unwrap();
    see.browser.fill("birthdate", "tomorrow").await;
    see.submit("#profile-submit").await;
    see.browser.wait_css("#birthdate[aria-invalid=true]").await;
    see.inspect("refused profile").await;
    see.open(&format!("{idp}/account/password"), "a new password").await;
    see.browser.fill("password", "Password1").await;
    see.submit("#password-submit").await;
    see.browser.wait_css("#password[aria-invalid=true]").await;
    see.inspect("refused password").await;
    see.browser.fill("current", PASSWORD).await;
    see.browser.fill("password", "another horse, another staple").await;
    see.submit("#password-submit").await;
    see.browser.wait_css(".toast").await;
    see.inspect("a new password, and a toast").await;
}

/// Somebody who is logged out leaves, and comes back.
async fn leave(see: &Inspector<'_>, place: &Place) {
    let Place { idp, .. } = place;
    let log_in = async || {
        see.browser.goto(&format!("{idp}/login?return_to=/account/data/delete")).await.unwrap();
        see.browser.fill("email", "ada@example.com").await;
        see.browser.fill("password", "another horse, another staple").await;
        see.submit("#login-submit").await;
    };
    log_in().await;
    see.submit("#delete-confirm").await;
    see.browser.wait_for_text("Your account will be deleted").await;
    see.inspect("an account that was deleted").await;
    log_in().await;
    see.browser.wait_css("#restore-confirm").await;
    see.inspect("an account that can be kept").await;
    see.submit("#restore-confirm").await;
    see.browser.wait_css("#delete-confirm").await;
}

async fn running(place: &Place) -> Node {
    let node = place.start().await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let scope = "openid profile email offline_access tasks:read tasks:write fax:send";
    place
        .run(&["client", "add", "tv", "--name", LONG, "--public", "--grant-type", grant, "--scope", scope])
        .good();
    let shop = ["client", "add", "shop", "--name", "The Shop", "--redirect-uri", "http://localhost:9/cb"];
    place.run(&shop).good();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_the_pages_of_a_persons_day() {
    let Some(axe) = axe() else { return };
    let place = Place::new();
    let node = running(&place).await;
    browser(Options::default(), async |browser| {
        let see = Inspector { browser, axe: &axe };
        enter(&see, &place).await;
        work(&see, &place).await;
        connect(&see, &place).await;
        settings(&see, &place).await;
        passkeys(&see, &place).await;
        account(&see, &place).await;
        leave(&see, &place).await;
        see.open(&format!("{}/docs", place.api), "the API's documentation").await;
    })
    .await;
    node.stop().await;
}

/// Yellow text cannot be read on white: it is used as dark as it must be.
#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_whatever_the_accent_colour() {
    let Some(axe) = axe() else { return };
    let mut place = Place::new();
    std::fs::write(place.dir.path().join("logo.svg"), platform::assets::MARK).unwrap();
    place.set("IDP__LOOK__ACCENT", "#ffd400");
    place.set("IDP__LOOK__LOGO", "logo.svg");
    let node = running(&place).await;
    browser(Options::default(), async |browser| {
        let see = Inspector { browser, axe: &axe };
        enter(&see, &place).await;
        work(&see, &place).await;
        for url in [&place.idp, &place.web] {
            browser.goto(url).await.unwrap();
            let brand = "const brand = getComputedStyle(document.querySelector('.brand'), '::before').backgroundImage;
                const file = brand.match(/url\\(\"(.*)\"\\)/)[1];
                const sent = performance.getEntriesByName(file)[0];
                return [file.endsWith('/logo.svg'), sent.responseStatus,
                  getComputedStyle(document.documentElement).getPropertyValue('--accent')]";
            let accent = see.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(accent, json!(true));
            assert_eq!(see.run(brand).await, json!([true, 200, "#ffd400"]), "on dark pages yellow is good");
        }
    })
    .await;
    node.stop().await;
}
