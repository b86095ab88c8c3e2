//! A browser without JavaScript: goes where it is redirected, across sites, and submits forms as they are shown.

use std::sync::Mutex;

use platform::testing::Cookies;
use reqwest::{Client, RequestBuilder, StatusCode, header, header::HeaderMap};
use url::Url;

use crate::person::PASSWORD;

/// Cookies do not know ports: every site of a test is on localhost and sees the same jar, as in a real browser.
#[derive(Default)]
pub struct Visitor {
    pub http: Client,
    pub cookies: Cookies,
    /// Every `Set-Cookie` line, and every address that was asked for.
    pub set: Mutex<Vec<String>>,
    pub asked: Mutex<Vec<Url>>,
}

/// Where it ended, and what is there.
#[derive(Debug)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Visitor {
    /// `http` must not follow redirects by itself.
    pub fn with(http: Client) -> Self {
        Self { http, ..Self::default() }
    }

    pub async fn get(&self, url: impl AsRef<str>) -> Page {
        self.send(self.http.get(url.as_ref())).await
    }

    /// Posts the form that leads to `action`: what is hidden in it, and `fields`.
    pub async fn submit(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let (target, hidden) = page.form(action);
        let filled = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let form: Vec<_> = hidden.into_iter().chain(filled).collect();
        let origin = page.url.origin().ascii_serialization();
        self.send(self.http.post(target).form(&form).header(header::ORIGIN, origin)).await
    }

    /// From the form of the sign-up page to wherever that leads.
    pub async fn sign_up(&self, page: &Page, email: &str) -> Page {
        self.submit(page, "/signup", &[("name", "Ada"), ("email", email), ("password", PASSWORD)]).await
    }

    pub async fn log_in(&self, page: &Page, email: &str, password: &str) -> Page {
        self.submit(page, "/login", &[("email", email), ("password", password)]).await
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let mut request = request;
        for _ in 0..20 {
            let answer = self.cookies.send(request).await.unwrap();
            let (url, status, headers) = (answer.url().clone(), answer.status(), answer.headers().clone());
            let lines = headers.get_all(header::SET_COOKIE).iter();
            self.set.lock().unwrap().extend(lines.map(|line| line.to_str().unwrap().to_owned()));
            self.asked.lock().unwrap().push(url.clone());
            match headers.get(header::LOCATION) {
                Some(location) if status.is_redirection() => {
                    request = self.http.get(url.join(location.to_str().unwrap()).unwrap());
                }
                _ => return Page { url, status, headers, html: answer.text().await.unwrap() },
            }
        }
        panic!("redirected in a circle: {:?}", self.asked);
    }
}

impl Page {
    /// The first form whose action contains `action`: where it leads, and its hidden fields.
    #[track_caller]
    pub fn form(&self, action: &str) -> (Url, Vec<(String, String)>) {
        let forms = self.html.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next());
        let mut found = forms.filter(|form| attribute(form, "action").contains(action));
        let form =
            found.next().unwrap_or_else(|| panic!("no form for {action} at {}: {}", self.url, self.html));
        let hidden = form.split("<input type=\"hidden\"").skip(1);
        let fields = hidden.map(|tag| (attribute(tag, "name"), attribute(tag, "value"))).collect();
        (self.url.join(&attribute(form, "action")).unwrap(), fields)
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }
}

/// The value of an attribute, as its page means it; empty without one.
fn attribute(tag: &str, name: &str) -> String {
    let Some((_, rest)) = tag.split_once(&format!(" {name}=\"")) else { return String::new() };
    let value = rest.split('"').next().unwrap_or_default();
    value.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#38;", "&")
}
