//! Who and what there is: people, clients, and values of every kind that is given out.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use platform::testing::Cookies;
use reqwest::{Client, Method, StatusCode, header, redirect::Policy};
use serde_json::Value;

use super::{
    dice::Dice,
    endpoint::{By, Endpoint},
    request::{Pairs, Sent},
};
use crate::fixture::{
    Browser, PASSWORD, SECRET, TestIdp, VERIFIER, answer, changed, code_challenge, location, redirect_uri,
};

/// What [`World::fill`] knows: a fresh one each time.
pub const KINDS: [&str; 24] = [
    "{device_code}",
    "{user_code}",
    "{entered_code}",
    "{others_access_token}",
    "{code}",
    "{others_code}",
    "{spent_code}",
    "{refresh_token}",
    "{others_refresh_token}",
    "{access_token}",
    "{id_token}",
    "{others_id_token}",
    "{request_uri}",
    "{others_request_uri}",
    "{log_in}",
    "{consent}",
    "{form_token}",
    "{challenge}",
    "{verifier}",
    "{secret}",
    "{password}",
    "{email}",
    "{new_email}",
    "{session}",
];

pub struct World<'a> {
    pub idp: &'a TestIdp,
    /// With a connection for each request: after a body that nobody read, a connection is of no use.
    pub http: Client,
    /// Of the person who is logged in, and who that is.
    person: Mutex<(Cookies, String)>,
    count: AtomicUsize,
    /// The last of each kind that a changed request was given.
    known: Mutex<HashMap<&'static str, String>>,
}

impl<'a> World<'a> {
    pub async fn new(idp: &'a TestIdp) -> Self {
        let http = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0).build().unwrap();
        let world =
            Self { idp, http, person: Mutex::default(), count: AtomicUsize::new(0), known: Mutex::default() };
        world.sign_up().await;
        world
    }

    async fn sign_up(&self) {
        let name = format!("person{}", self.count.fetch_add(1, Ordering::Relaxed));
        let browser = self.idp.signed_up(&name).await;
        *self.person.lock().unwrap() = (browser.cookies, format!("{name}@example.com"));
    }

    /// A copy of the browser in which somebody is logged in; bad input may have logged them out.
    pub async fn browser(&self) -> Browser<'a> {
        if self.copy().get("/account").await.status() != StatusCode::OK {
            self.sign_up().await;
        }
        self.copy()
    }

    fn copy(&self) -> Browser<'a> {
        Browser { idp: self.idp, cookies: self.person.lock().unwrap().0.clone() }
    }

    /// The good request to `endpoint`.
    pub async fn request(&self, endpoint: &Endpoint) -> Sent {
        let browser = self.browser().await;
        let mut parameters = Pairs::new();
        for (name, value) in endpoint.parameters {
            parameters.push((name.as_bytes().to_vec(), self.fill(value).await.into_bytes()));
        }
        let method = Method::from_bytes(endpoint.method.as_bytes()).unwrap();
        let (query, form) =
            if method == Method::GET { (parameters, None) } else { (Pairs::new(), Some(parameters)) };
        let mut sent =
            Sent { method, path: endpoint.path.to_owned(), query, form, raw: false, headers: Vec::new() };
        if sent.form.is_some() {
            sent.set_header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        match endpoint.by {
            By::Nobody => {}
            By::Client => sent.set_header(header::AUTHORIZATION, basic("web", SECRET)),
            By::Token => {
                let token = self.fill("{access_token}").await;
                sent.set_header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            By::Person => {
                sent.set_header(header::COOKIE, browser.cookies.header());
                sent.set_header(header::ORIGIN, self.idp.url.as_str());
            }
        }
        sent
    }

    /// A value of this kind, most often one that was sent before.
    pub async fn some(&self, kind: &'static str, dice: &mut Dice) -> String {
        let known = self.known.lock().unwrap().get(kind).cloned();
        match known {
            Some(known) if dice.below(4) > 0 => known,
            _ => {
                let fresh = self.fill(kind).await;
                self.known.lock().unwrap().insert(kind, fresh.clone());
                fresh
            }
        }
    }

    /// A fresh value for what is in braces; anything else is itself.
    pub async fn fill(&self, kind: &str) -> String {
        match kind {
            "{code}" => self.browser().await.code("web", &[]).await,
            "{others_code}" => self.browser().await.code("other", &[]).await,
            "{spent_code}" => {
                let code = self.browser().await.code("web", &[]).await;
                self.idp.redeem("web", &code, &[]).await;
                code
            }
            "{refresh_token}" => text(&self.tokens("web").await["refresh_token"]),
            "{others_refresh_token}" => text(&self.tokens("other").await["refresh_token"]),
            "{access_token}" => text(&self.tokens("web").await["access_token"]),
            "{others_access_token}" => text(&self.tokens("other").await["access_token"]),
            "{device_code}" => {
                let device = self.device(true).await;
                let code = text(&device["user_code"]);
                self.browser()
                    .await
                    .post("/device/confirm", &[("user_code", &code), ("decision", "allow")])
                    .await;
                text(&device["device_code"])
            }
            "{user_code}" => text(&self.device(false).await["user_code"]),
            "{entered_code}" => text(&self.device(true).await["user_code"]),
            "{id_token}" => text(&self.tokens("web").await["id_token"]),
            "{others_id_token}" => {
                // Of another session: it proves nothing about this one.
                let code = self.idp.signed_up(&self.name()).await.code("other", &[]).await;
                text(&self.idp.redeem("other", &code, &[]).await.1["id_token"])
            }
            "{request_uri}" => self.pushed("web").await,
            "{others_request_uri}" => self.pushed("other").await,
            "{log_in}" => self.handle("web", "login").await,
            "{consent}" => self.handle("shop", "consent").await,
            "{form_token}" => self.browser().await.form_token().await,
            "{challenge}" => code_challenge(VERIFIER),
            "{verifier}" => VERIFIER.to_owned(),
            "{secret}" => SECRET.to_owned(),
            "{password}" => PASSWORD.to_owned(),
            "{email}" => self.person.lock().unwrap().1.clone(),
            "{new_email}" => format!("{}@example.com", self.name()),
            "{session}" => self.browser().await.cookies.get("latchkey_idp_session").unwrap_or_default(),
            itself => itself.to_owned(),
        }
    }

    fn name(&self) -> String {
        format!("new{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    async fn tokens(&self, client: &str) -> Value {
        let code = self.browser().await.code(client, &[]).await;
        self.idp.redeem(client, &code, &[]).await.1
    }

    /// What a device of `web` was told; with its code entered by the person, or not.
    async fn device(&self, entered: bool) -> Value {
        let form = [("scope", "openid tasks:read")];
        let (_, device) = answer(self.idp.authenticated("/device_authorization", "web", &form)).await;
        if entered {
            let code = text(&device["user_code"]);
            self.browser().await.post("/device", &[("code", &code)]).await;
        }
        device
    }

    async fn pushed(&self, client: &str) -> String {
        let (redirect_uri, challenge) = (redirect_uri(client), code_challenge(VERIFIER));
        let form = [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let answer = answer(self.idp.authenticated("/par", client, &changed(&form, &[]))).await;
        text(&answer.1["request_uri"])
    }

    /// Of a request that waits for the person.
    async fn handle(&self, client: &str, prompt: &str) -> String {
        let waits = self.browser().await.authorize(client, &[("prompt", prompt)]).await;
        location(&waits).split_once("?request=").expect("a request that waits").1.to_owned()
    }
}

pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a token").to_owned()
}
