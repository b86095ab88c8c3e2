//! Which redirect URIs may be registered, and when a presented one is a registered one (RFC 9700 §4.1, RFC 8252).

use url::{Host, Url};

/// Whether `presented` is one of `registered`: byte for byte, or, for `http://127.0.0.1` and `http://[::1]`
/// only, up to the port (RFC 8252 §7.3: a native app listens where it can).
#[must_use]
pub fn is_registered(registered: &[String], presented: &str) -> bool {
    registered.iter().any(|known| known == presented || same_but_port(known, presented))
}

fn same_but_port(known: &str, presented: &str) -> bool {
    let (Some(known), Some(presented)) = (loopback(known), loopback(presented)) else { return false };
    known == presented
}

/// Splits a loopback URI into what comes before and after its port; as texts, so that nothing is normalised.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
    let (host, rest) = uri.split_at(host.len());
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = port.split_at(digits);
            number.parse::<u16>().ok()?;
            rest
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// Why a redirect URI cannot be registered.
#[must_use]
pub fn refuse_registration(uri: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(uri) else { return Some("is not an absolute URI") };
    if uri.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'\\') {
        return Some("must be written in visible ASCII characters, without backslashes");
    }
    if uri.contains('#') {
        return Some("must not have a fragment (RFC 6749 \u{a7}3.1.2)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not hold credentials");
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => None,
        ("http", Some(Host::Ipv4(address))) if address.is_loopback() => None,
        ("http", Some(Host::Ipv6(address))) if address.is_loopback() => None,
        ("http", Some(Host::Domain("localhost"))) => None,
        ("http" | "https", _) => Some("must be https; http is only for this machine"),
        // RFC 8252 \u{a7}7.1: a private-use scheme is a reversed domain name. `javascript` and `data` are not.
        (scheme, _) if scheme.contains('.') => None,
        _ => Some("must be https, http on loopback, or a private-use scheme with a dot (RFC 8252)"),
    }
}

/// Where a registered URI leads, as people are told: its host, with the port if it has one of its own.
#[must_use]
pub fn shown_host(uri: &str) -> String {
    let url = Url::parse(uri).ok();
    let host = url.as_ref().and_then(|url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        url.host_str().map(|host| format!("{host}{port}"))
    });
    host.unwrap_or_else(|| "an app on this device".to_owned())
}

/// Whether a text can name a resource, RFC 8707 §2: an absolute URI without a fragment.
#[must_use]
pub fn is_resource_identifier(uri: &str) -> bool {
    Url::parse(uri).is_ok() && !uri.contains('#') && !uri.contains(char::is_whitespace)
}

/// What a page's Content-Security-Policy must name so that its form may lead to this URI.
#[must_use]
pub fn form_target(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_port_may_differ() {
        let registered = ["http://127.0.0.1/cb".to_owned(), "http://[::1]:1234/cb?x=1".to_owned()];
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:49152/cb",
            "http://[::1]/cb?x=1",
            "http://[::1]:1/cb?x=1",
        ] {
            assert!(is_registered(&registered, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:80@evil/cb",
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.1/cb/",
            "http://127.0.0.1/CB",
            "https://127.0.0.1/cb",
            "http://127.0.0.2/cb",
            "http://localhost/cb",
            "http://127.0.0.1:80:80/cb",
            "http://[::1]/cb",
            "http://127.0.0.1:1/cb?",
            "http://127.1/cb",
        ] {
            assert!(!is_registered(&registered, bad), "{bad}");
        }
    }

    #[test]
    fn what_could_run_or_leak_cannot_be_registered() {
        for good in [
            "https://app.example/cb?tenant=1",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(refuse_registration(good), None, "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/cb",
            "https://app.example/cb#x",
            "/cb",
            "",
            "https://user@app.example/cb",
            "https://app.example/a b",
            "https://app.example\\@evil",
            "myapp:/cb",
            "file:///etc",
            "http://localhost.evil/cb",
            "https://app.example/\u{e9}",
            "https://app.example/#",
        ] {
            assert!(refuse_registration(bad).is_some(), "{bad}");
        }
    }
}
