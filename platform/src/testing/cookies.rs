//! As much of a browser as most tests need: cookies that are kept and sent back.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::{
    RequestBuilder, Response,
    header::{COOKIE, SET_COOKIE},
};

/// The cookies of one browser at one site. A clone is a copy as of now.
#[derive(Debug, Default)]
pub struct Cookies(Mutex<BTreeMap<String, String>>);

impl Clone for Cookies {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.jar().clone()))
    }
}

impl Cookies {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.jar().get(name).cloned()
    }

    pub fn set(&self, name: &str, value: &str) {
        self.jar().insert(name.to_owned(), value.to_owned());
    }

    pub fn remove(&self, name: &str) {
        self.jar().remove(name);
    }

    /// All of them, as a request carries them.
    #[must_use]
    pub fn header(&self) -> String {
        let pairs: Vec<String> = self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Sends a request with the cookies that there are, and keeps those of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let header = self.header();
        let request = if header.is_empty() { request } else { request.header(COOKIE, header) };
        let response = request.send().await?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("cookies are ASCII");
            let (name, rest) = cookie.split_once('=').expect("a cookie has a name");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() || rest.contains("Max-Age=0") {
                self.remove(name);
            } else {
                self.set(name, value);
            }
        }
        Ok(response)
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
