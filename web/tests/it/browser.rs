//! What a browser does: keeps cookies, posts forms, follows redirects when told to.

use std::sync::Arc;

use platform::testing::Cookies;
use reqwest::{Method, header};

/// One browser, with cookies of its own. Clones share them, as tabs do.
#[derive(Clone)]
pub(crate) struct Browser {
    web: String,
    http: reqwest::Client,
    cookies: Arc<Cookies>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    /// The value of the hidden field `name` in the page's first form that has it.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&start).unwrap_or_else(|| panic!("no {name} in {}", self.body)).1;
        rest.split('"').next().unwrap().replace("&#38;", "&")
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not in {} {}", self.status, self.body);
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is in {}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn leads_to(&self, location: &str) -> &Self {
        assert_eq!((self.status, self.location.as_str()), (303, location), "{}", self.body);
        self
    }
}

impl Browser {
    pub(crate) fn new(web: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { web: web.to_owned(), http, cookies: Arc::default() }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(&format!("latchkey_web_{name}"))
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.set(&format!("latchkey_web_{name}"), value);
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Posts a form with this browser's token.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let token = self.form_token().await;
        let fields = [fields, &[("form_token", &token)]].concat();
        self.post_with(path, &fields, &[("origin", &self.web)]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Seen {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Some(body), headers).await
    }

    /// What this browser's forms carry, read from a page that has one.
    pub(crate) async fn form_token(&self) -> String {
        let page = self.get("/tasks").await;
        if page.status == 200 || page.status == 503 { page.hidden("form_token") } else { String::new() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&'static str, &str)],
    ) -> Seen {
        let url = if path.starts_with('/') { format!("{}{path}", self.web) } else { path.to_owned() };
        let ours = url.starts_with(&self.web);
        let mut request = self.http.request(method, &url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        let answer = if ours { self.cookies.send(request).await } else { request.send().await };
        let answer = answer.unwrap();
        let location = answer.headers().get(header::LOCATION);
        let location = location.map_or_else(String::new, |location| location.to_str().unwrap().to_owned());
        Seen {
            status: answer.status().as_u16(),
            location,
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    /// Goes to log in, lets the provider log in whom it will, and answers what the callback answers.
    pub(crate) async fn log_in(&self, path: &str) -> Seen {
        let callback = self.until_callback(path).await;
        self.get(&callback).await
    }

    /// The URL of the callback that the provider redirects to.
    pub(crate) async fn until_callback(&self, path: &str) -> String {
        let begun = self.get(path).await;
        assert_eq!(begun.status, 303, "{}", begun.body);
        self.get(&begun.location).await.location
    }
}
