//! As much of a browser as logging in takes: cookies, redirects followed by hand, hidden inputs.

use std::collections::BTreeMap;

use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};

use crate::{Result, Target};

/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One person's browser, with connections and cookies of its own.
pub struct Browser {
    http: Client,
    idp: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(target: &Target) -> Result<Self> {
        let http = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(1).build()?;
        Ok(Self { http, idp: target.idp.clone(), cookies: BTreeMap::new() })
    }

    /// From the app's redirect, over the log-in page, to the code.
    pub async fn log_in(&mut self, target: &Target, email: &str) -> Result<String> {
        let mut response = self.open(&authorize_url(target)).await?;
        loop {
            if let Some(location) = location(&response) {
                if let Some(code) = code(&location, target)? {
                    return Ok(code);
                }
                let next = self.absolute(&location);
                response = self.open(&next).await?;
                continue;
            }
            if response.status() != 200 {
                return Err(format!("{} at {}", response.status(), response.url()).into());
            }
            let here = response.url().to_string();
            let page = response.text().await?;
            let form = page
                .split("<form")
                .find(|form| form.contains("name=\"password\""))
                .ok_or_else(|| format!("no log-in form at {here}"))?;
            let form = form.split("</form>").next().unwrap_or(form);
            let mut fields = hidden_inputs(form);
            fields.push(("email".to_owned(), email.to_owned()));
            fields.push(("password".to_owned(), target.password.clone()));
            let action = attribute(form, "action").map_or(here, |action| self.absolute(&action));
            let request = self.http.post(action).header(header::ORIGIN, &self.idp).form(&fields);
            response = self.send(request).await?;
            if response.status() == 200 {
                return Err("the log-in was refused".into());
            }
        }
    }

    /// The code, at once: the session lives and the app is first-party.
    pub async fn authorize(&mut self, target: &Target) -> Result<String> {
        let response = self.open(&authorize_url(target)).await?;
        let location = location(&response).ok_or("no redirect: the session has ended")?;
        code(&location, target)?.ok_or_else(|| format!("sent to {location}").into())
    }

    /// What the app's server does with the code.
    pub async fn redeem(&mut self, target: &Target, code: &str) -> Result<()> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &target.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        let request = self.http.post(format!("{}/token", self.idp)).form(&form);
        let response = request.basic_auth(&target.client, Some(&target.secret)).send().await?;
        let status = response.status();
        let body = response.text().await?;
        if body.contains("\"access_token\"") { Ok(()) } else { Err(format!("{status} {body}").into()) }
    }

    async fn open(&mut self, url: &str) -> Result<Response> {
        self.send(self.http.get(url)).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Response> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(header::COOKIE, cookies.join("; ")).send().await?;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }

    fn absolute(&self, location: &str) -> String {
        let location = location.replace("&amp;", "&");
        if location.starts_with('/') { format!("{}{location}", self.idp) } else { location }
    }
}

fn authorize_url(target: &Target) -> String {
    format!(
        "{}/authorize?response_type=code&client_id={}&redirect_uri={}&scope=openid&state=s&nonce=n\
         &code_challenge={CHALLENGE}&code_challenge_method=S256",
        target.idp,
        target.client,
        target.redirect_uri.replace(':', "%3A").replace('/', "%2F"),
    )
}

fn location(response: &Response) -> Option<String> {
    Some(response.headers().get(header::LOCATION)?.to_str().ok()?.to_owned())
}

/// The code of a redirect to the app; `None` while the redirect leads elsewhere.
fn code(location: &str, target: &Target) -> Result<Option<String>> {
    let Some(query) = location.strip_prefix(&format!("{}?", target.redirect_uri)) else { return Ok(None) };
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    code.map(|code| Some(code.to_owned())).ok_or_else(|| format!("no code in {location}").into())
}

fn hidden_inputs(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input").filter(|input| input.contains("type=\"hidden\""));
    inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let value = tag.split(&format!(" {name}=\"")).nth(1)?;
    value.split('"').next().map(str::to_owned)
}
