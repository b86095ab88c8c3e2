//! Somebody's phone with an authenticator app, which knows RFC 6238 and no line of ours.

use aws_lc_rs::hmac;
use chrono::TimeDelta;
use reqwest::{Response, StatusCode};

use crate::fixture::{Browser, PASSWORD, TestIdp, location};

pub struct Phone(Vec<u8>);

impl Phone {
    /// With the key of a page, as somebody types it.
    pub fn with_key_of(html: &str) -> Self {
        let (_, rest) = html.split_once("id=\"totp-key\">").expect("a page with a key");
        let key = rest.split('<').next().unwrap();
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bits = String::new();
        for letter in key.chars().filter(|letter| *letter != ' ') {
            bits += &format!("{:05b}", letters.find(letter).unwrap());
        }
        let bytes = bits.as_bytes().chunks_exact(8);
        Self(bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect())
    }

    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// What it shows now.
    pub fn code(&self, idp: &TestIdp) -> String {
        self.code_in(idp, 0)
    }

    /// What it shows so many steps of 30 seconds from now.
    pub fn code_in(&self, idp: &TestIdp, steps: i64) -> String {
        let counter = idp.clock.now().timestamp() / 30 + steps;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &counter.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[19] & 0xf);
        let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// Six digits that are none of the codes of these minutes.
    pub fn wrong_code(&self, idp: &TestIdp) -> String {
        let right: Vec<String> = (-3..=3).map(|steps| self.code_in(idp, steps)).collect();
        (0..).map(|number| format!("{number:06}")).find(|code| !right.contains(code)).unwrap()
    }
}

/// The recovery codes that a page shows.
pub fn recovery_codes(html: &str) -> Vec<String> {
    let (_, list) = html.split_once("id=\"recovery-codes\"").expect("a page with recovery codes");
    let (list, _) = list.split_once("</ul>").unwrap();
    list.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

impl TestIdp {
    /// The next code of every app.
    pub fn next_step(&self) {
        self.clock.advance(TimeDelta::seconds(30));
    }

    /// Somebody who has an app, with the browser in which it was set up.
    pub async fn with_app(&self, name: &str) -> (Browser<'_>, Phone, Vec<String>) {
        let browser = self.signed_up(name).await;
        let (phone, codes) = browser.set_up_app().await;
        (browser, phone, codes)
    }

    /// A new browser, in which somebody has entered the password.
    pub async fn after_password(&self, name: &str) -> Browser<'_> {
        let browser = self.browser();
        let place = location(&browser.log_in("/login", name, PASSWORD).await);
        assert_eq!(place, "/login/second");
        assert!(!browser.has_session());
        browser
    }
}

impl Browser<'_> {
    /// Turns an app on; with the recovery codes that come with it. Its next code is a new one.
    pub async fn set_up_app(&self) -> (Phone, Vec<String>) {
        let page = self.get("/account/totp").await.text().await.unwrap();
        let phone = Phone::with_key_of(&page);
        let answer = self.post("/account/totp", &[("code", &phone.code(self.idp))]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let codes = recovery_codes(&answer.text().await.unwrap());
        self.idp.next_step();
        (phone, codes)
    }

    pub async fn second(&self, code: &str) -> Response {
        self.post("/login/second", &[("code", code)]).await
    }

    pub async fn recover(&self, code: &str) -> Response {
        self.post("/login/second", &[("with", "recovery"), ("code", code)]).await
    }

    pub fn has_session(&self) -> bool {
        self.cookies.get("latchkey_idp_session").is_some()
    }
}
