//! The pages of authenticator apps and recovery codes, on the way in and in the account.

use platform::testing::{Options, browser};
use serde_json::Value;

use super::{Inspector, axe};
use crate::{person::PASSWORD, support::Place};

/// What an app shows that was given the key of this page (RFC 6238): the browser knows SHA-1.
const CODE: &str = "const done = arguments[0]
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
    const typed = document.getElementById('totp-key').textContent.replaceAll(' ', '')
    const bits = [...typed].map(letter => letters.indexOf(letter).toString(2).padStart(5, '0')).join('')
    const bytes = Uint8Array.from(bits.match(/.{8}/g), byte => parseInt(byte, 2))
    const counter = new DataView(new ArrayBuffer(8))
    counter.setBigUint64(0, BigInt(Math.floor(Date.now() / 30000)))
    crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])
      .then(key => crypto.subtle.sign('HMAC', key, counter))
      .then(tag => {
        const view = new DataView(tag)
        const number = view.getUint32(view.getUint8(19) & 15) & 0x7fffffff
        done(String(number % 1000000).padStart(6, '0'))
      })";

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_the_pages_of_second_factors() {
    let Some(axe) = axe() else { return };
    let place = Place::new();
    let node = place.start().await;
    browser(Options::default(), async |browser| {
        let see = Inspector { browser, axe: &axe };
        let idp = &place.idp;
        browser.goto(&format!("{idp}/signup")).await.unwrap();
        browser.fill("name", "Ada").await;
        browser.fill("email", "ada@example.com").await;
        browser.fill("password", PASSWORD).await;
        see.submit("#signup-submit").await;
        browser.wait_for_address(&format!("{idp}/account")).await;
        turn_on(&see, &place).await;
        log_in(&see, idp).await;
    })
    .await;
    node.stop().await;
}

async fn turn_on(see: &Inspector<'_>, place: &Place) {
    let Place { idp, .. } = place;
    let bank =
        ["client", "add", "bank", "--redirect-uri", "http://localhost:9/cb", "--require-second-factor"];
    place.run(&bank).good();
    let request = "client_id=bank&redirect_uri=http://localhost:9/cb&response_type=code&scope=openid\
                   &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    see.open(&format!("{idp}/authorize?{request}"), "an app that demands a second step").await;
    see.browser.wait_css("#totp-key").await;

    see.open(&format!("{idp}/account/totp"), "setting up an authenticator app").await;
    see.browser.fill("code", "1").await;
    see.submit("#totp-submit").await;
    see.browser.wait_css("#code-error").await;
    see.inspect("a code that is none").await;
    let code = see.browser.execute_async(CODE, Vec::new()).await.unwrap();
    see.browser.fill("code", code.as_str().unwrap()).await;
    see.submit("#totp-submit").await;
    see.browser.wait_css("#recovery-codes").await;
    see.inspect("recovery codes").await;
    see.submit("#recovery-continue").await;
    see.browser.wait_for_address(&format!("{idp}/account/security")).await;
    see.inspect("what protects the account").await;
    see.open(&format!("{idp}/account/totp"), "an authenticator app that is on").await;
}

async fn log_in(see: &Inspector<'_>, idp: &str) {
    see.open(&format!("{idp}/account/recovery-codes"), "how many recovery codes are left").await;
    see.submit("#recovery-new").await;
    see.browser.wait_css("#recovery-codes").await;
    let recovery: Value = see.run("return document.querySelector('#recovery-codes code').textContent").await;
    see.browser.goto(&format!("{idp}/account")).await.unwrap();
    see.submit("#logout-confirm").await;
    see.browser.wait_for_text("You are logged out").await;
    see.browser.goto(&format!("{idp}/login")).await.unwrap();
    see.browser.fill("email", "ada@example.com").await;
    see.browser.fill("password", PASSWORD).await;
    see.submit("#login-submit").await;
    see.browser.wait_css("#second-submit").await;
    see.inspect("the second step").await;
    see.browser.fill("code", "1").await;
    see.submit("#second-submit").await;
    see.browser.wait_css("#code-error").await;
    see.inspect("a second step that failed").await;
    see.submit("#second-other").await;
    see.browser.wait_for_text("One of those that you kept").await;
    see.inspect("the second step by a recovery code").await;
    see.browser.fill("code", recovery.as_str().unwrap()).await;
    see.submit("#second-submit").await;
    see.browser.wait_for_address(&format!("{idp}/account")).await;
}
