//! Where a provider's endpoints are: as it publishes it (OpenID Connect Discovery §4), or as everybody knows.

use std::sync::Arc;

use serde::Deserialize;
use url::{Host, Url};

use crate::{
    App,
    outbound::{self, kept::Answer},
};

/// OpenID Connect Discovery §3, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    #[serde(default)]
    pub jwks_uri: String,
    pub userinfo_endpoint: Option<String>,
    /// `client_secret_basic`, when it says nothing.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207 §3.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Where GitHub's endpoints are; the API of an enterprise's server is on the same host (`/api/v3`).
    #[must_use]
    pub fn of_github(issuer: &str) -> Self {
        let api = match Url::parse(issuer).as_ref().map(Url::host) {
            Ok(Some(Host::Domain(host))) if host == "github.com" || host.ends_with(".ghe.com") => {
                format!("https://api.{host}")
            }
            _ => format!("{issuer}/api/v3"),
        };
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: format!("{issuer}/login/oauth/authorize"),
            token_endpoint: format!("{issuer}/login/oauth/access_token"),
            jwks_uri: String::new(),
            userinfo_endpoint: Some(format!("{api}/user")),
            token_endpoint_auth_methods_supported: Some(vec!["client_secret_post".to_owned()]),
            authorization_response_iss_parameter_supported: false,
        }
    }

    /// Whether the secret goes into a header, which every server has to take (RFC 6749 §2.3.1), or into the form.
    #[must_use]
    pub fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        let has = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        has("client_secret_basic") || !has("client_secret_post")
    }

    /// What is wrong with it.
    fn refuse(&self, issuer: &str) -> Option<&'static str> {
        // §4.3, or anybody would speak for anybody.
        if self.issuer != issuer {
            return Some("its metadata is another issuer's");
        }
        // People are sent there.
        outbound::refuse_registration(&self.authorization_endpoint)
            .is_some()
            .then_some("its authorization_endpoint is no place to send anybody")
    }
}

/// What an issuer publishes of itself.
pub async fn fetch(app: &App, issuer: &str) -> Answer<Arc<Metadata>> {
    let uri = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = match app.outbound.get(&uri).await {
        Ok(document) => document,
        Err(error) => {
            tracing::warn!(uri, %error, "the metadata of a provider could not be fetched");
            return Answer::Silence;
        }
    };
    let metadata = serde_json::from_slice::<Metadata>(&document);
    let refused = match &metadata {
        Ok(metadata) => metadata.refuse(issuer),
        Err(_) => Some("it is no metadata of a provider"),
    };
    match (metadata, refused) {
        (Ok(metadata), None) => Answer::Value(Arc::new(metadata)),
        (_, reason) => {
            tracing::error!(uri, reason, "the metadata of a provider cannot be used");
            Answer::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn githubs_api_is_where_its_kind_of_server_has_it() {
        for (issuer, user) in [
            ("https://github.com", "https://api.github.com/user"),
            ("https://octo.ghe.com", "https://api.octo.ghe.com/user"),
            ("https://git.example", "https://git.example/api/v3/user"),
        ] {
            assert_eq!(Metadata::of_github(issuer).userinfo_endpoint.as_deref(), Some(user));
        }
    }

    #[test]
    fn a_secret_is_sent_as_the_provider_takes_it() {
        let takes_basic = |methods: Option<&[&str]>| {
            let methods = methods.map(|methods| methods.iter().map(|method| (*method).to_owned()).collect());
            let github = Metadata::of_github("https://git.example");
            Metadata { token_endpoint_auth_methods_supported: methods, ..github }.takes_basic()
        };
        assert!(takes_basic(None) && takes_basic(Some(&["private_key_jwt"])));
        assert!(takes_basic(Some(&["client_secret_post", "client_secret_basic"])));
        assert!(!takes_basic(Some(&["client_secret_post"])));
    }
}
