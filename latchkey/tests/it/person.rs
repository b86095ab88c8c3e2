//! People at the identity provider's pages, and an app that they use; over HTTP, without a browser.

use std::error::Error;

use platform::testing::Cookies;
use reqwest::{Client, RequestBuilder, Response, header};
use serde_json::Value;
use url::Url;

use crate::support::{Place, http};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub const PASSWORD: &str = "correct horse battery staple";
pub const REDIRECT_URI: &str = "http://localhost:9/callback";
const POST_LOGOUT_REDIRECT_URI: &str = "http://localhost:9/bye";
/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A first-party app with a server of its own, registered by the operator.
#[derive(Clone)]
pub struct App {
    idp: String,
    secret: String,
    http: Client,
}

impl App {
    pub fn register(place: &Place) -> Self {
        let arguments = ["client", "add", "app", "--first-party", "--redirect-uri", REDIRECT_URI];
        let grants = [
            "--grant-type=authorization_code",
            "--grant-type=refresh_token",
            "--grant-type=client_credentials",
            "--grant-type=urn:ietf:params:oauth:grant-type:device_code",
        ];
        let scope = ["--scope", "openid profile email tasks:read tasks:write"];
        let logout = ["--post-logout-redirect-uri", POST_LOGOUT_REDIRECT_URI];
        let ran = place.run(&[&arguments[..], &grants, &scope, &logout].concat()).good();
        Self { idp: place.idp.clone(), secret: ran.value("client_secret"), http: http() }
    }

    /// How scripts learn who they are.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("CLIENT_ID", "app"),
            ("CLIENT_SECRET", &self.secret),
            ("REDIRECT_URI", REDIRECT_URI),
            ("POST_LOGOUT_REDIRECT_URI", POST_LOGOUT_REDIRECT_URI),
        ]
    }

    pub async fn redeem(&self, code: &str) -> Result<Value> {
        let redirect_uri = ("redirect_uri", REDIRECT_URI);
        let grant_type = ("grant_type", "authorization_code");
        self.token(&[grant_type, ("code", code), redirect_uri, ("code_verifier", VERIFIER)]).await
    }

    pub async fn refresh(&self, token: &str) -> Result<Value> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value> {
        let request = self.http.post(format!("{}/token", self.idp)).basic_auth("app", Some(&self.secret));
        let answer: Value = request.form(form).send().await?.json().await?;
        if answer["access_token"].is_string() { Ok(answer) } else { Err(answer.to_string().into()) }
    }
}

/// Somebody with a browser of their own.
pub struct Person {
    idp: String,
    http: Client,
    cookies: Cookies,
}

impl Person {
    pub fn at(idp: &str) -> Self {
        Self { idp: idp.to_owned(), http: http(), cookies: Cookies::default() }
    }

    pub fn cookie_header(&self) -> String {
        self.cookies.header()
    }

    pub async fn sign_up(&self, email: &str) -> Result<()> {
        let page = self.send(self.http.get(format!("{}/signup", self.idp))).await?.text().await?;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").ok_or("no form")?;
        let token = rest.split('"').next().unwrap_or_default();
        let form = [("form_token", token), ("name", "Person"), ("email", email), ("password", PASSWORD)];
        let answer = self.send(self.http.post(format!("{}/signup", self.idp)).form(&form)).await?;
        if answer.status() == 303 { Ok(()) } else { Err(answer.text().await?.into()) }
    }

    /// Goes there, and wherever that leads. Ports do not tell cookies apart, as in browsers.
    pub async fn visit(&self, url: &str) -> Result<Response> {
        let mut url = Url::parse(url)?;
        loop {
            let answer = self.send(self.http.get(url.clone())).await?;
            match answer.headers().get(header::LOCATION) {
                Some(location) => url = url.join(location.to_str()?)?,
                None => return Ok(answer),
            }
        }
    }

    /// By the button on the account's own page.
    pub async fn log_out(&self) -> Result<()> {
        let page = self.visit(&format!("{}/account", self.idp)).await?.text().await?;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").ok_or("no form")?;
        let token = rest.split('"').next().unwrap_or_default();
        let form = [("form_token", token)];
        let answer = self.send(self.http.post(format!("{}/logout/confirm", self.idp)).form(&form)).await?;
        if answer.status() == 200 { Ok(()) } else { Err(answer.text().await?.into()) }
    }

    /// What the app gets for a person who is logged in.
    pub async fn code(&self, app: &App) -> Result<String> {
        let parameters = [
            ("response_type", "code"),
            ("client_id", "app"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid tasks:read tasks:write"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&format!("{}/authorize", app.idp), parameters)?;
        let answer = self.send(self.http.get(url)).await?;
        let location = answer.headers().get(header::LOCATION).ok_or("no redirect")?.to_str()?.to_owned();
        let url = Url::parse(&location)?;
        let code = url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        code.ok_or(location.into())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        Ok(self.cookies.send(request).await?)
    }
}
