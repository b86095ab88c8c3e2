//! Log-in by other providers: a second Latchkey, an OpenID provider that does what it likes, and a GitHub.

mod answers;
mod browser;
mod fresh;
mod github;
mod latchkey;
mod linked;
mod linking;
mod sso;

use idp::{Config, config::Upstream};
use platform::testing::TestDb;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::fixture::{Browser, SECRET, TestIdp};
use sso::Sso;

/// The browser's half of a log-in by a provider.
impl Browser<'_> {
    /// Where the page of a log-in by `upstream` sends people; `carried` is what the page before it carried.
    pub async fn sent_to(&self, upstream: &str, carried: &[(&str, &str)]) -> Url {
        leads_to(self.post(&format!("/login/upstream/{upstream}"), carried).await).await.parse().unwrap()
    }

    /// Logs in by `sso`, as whoever its answer says.
    pub async fn come_from(&self, sso: &Sso) -> Response {
        let asked = self.sent_to(&sso.id, &[]).await;
        self.get(sso.answer(&asked).as_str()).await
    }

    /// Makes an account with what the provider says.
    pub async fn sign_up_from(&self, sso: &Sso) -> Response {
        let place = leads_to(self.come_from(sso).await).await;
        assert!(place.starts_with("/signup/upstream?arrival=lka_"), "{place}");
        self.submit(self.get(&place).await, &[("name", "Alice")]).await
    }

    /// The address of whoever is logged in here, if anybody is.
    pub async fn who(&self) -> Option<String> {
        let page = self.get("/account").await;
        if page.status() != StatusCode::OK {
            return None;
        }
        let html = page.text().await.unwrap();
        html.split(|c: char| c.is_whitespace() || "<>\"".contains(c))
            .find(|w| w.contains('@'))
            .map(str::to_owned)
    }
}

/// Where a page leads by itself.
pub async fn leads_to(page: Response) -> String {
    let status = page.status();
    let html = page.text().await.unwrap();
    let (_, rest) = html.split_once("content=\"0; url=").unwrap_or_else(|| panic!("{status}: {html}"));
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

/// A page that lets nobody in: its status, and what it says.
pub async fn refused(page: Response) -> (u16, String) {
    let status = page.status().as_u16();
    let html = page.text().await.unwrap();
    let (_, rest) = html.split_once("<h1>").unwrap_or_else(|| panic!("{status}: {html}"));
    (status, rest.split("</h1>").next().unwrap().replace("<bdi>", "").replace("</bdi>", ""))
}

/// How a provider at `issuer` is configured.
pub fn upstream(id: &str, issuer: &str) -> Upstream {
    Upstream {
        id: id.to_owned(),
        name: format!("The {id}"),
        issuer: Some(issuer.to_owned()),
        client_id: "downstream".to_owned(),
        client_secret: Some(SECRET.into()),
        ..Upstream::default()
    }
}

/// An identity provider that may ask those on this machine.
pub async fn idp_with(db: TestDb, upstreams: Vec<Upstream>, change: impl FnOnce(&mut Config)) -> TestIdp {
    TestIdp::with(db, |config| {
        config.outbound.allowed_addresses =
            ["127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).to_vec();
        config.upstreams = upstreams;
        change(config);
    })
    .await
}

/// With one OpenID provider, where Alice is known.
pub async fn idp_and_sso(db: TestDb) -> (TestIdp, Sso) {
    let sso = Sso::new("sso");
    let idp = idp_with(db, vec![upstream("sso", &sso.url)], |_| {}).await;
    (idp, sso)
}
