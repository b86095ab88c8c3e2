//! https by Latchkey itself: a certificate, its renewal, and what the configuration may promise.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use reqwest::{Certificate, ClientBuilder, redirect};

use crate::{
    person::PASSWORD,
    support::{PATIENCE, Place, free_port},
    visitor::Visitor,
};

/// A certificate authority that nobody else knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of a test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes its own certificate.
    pub fn file(&self, directory: &Path) -> PathBuf {
        let file = directory.join("ca.pem");
        std::fs::write(&file, self.0.pem()).unwrap();
        file
    }

    /// Writes a certificate for localhost and its key.
    pub fn issue(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let files = (directory.join("server.pem"), directory.join("server.key"));
        std::fs::write(&files.0, certificate.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    /// A client that trusts this authority and no other.
    pub fn client(&self) -> ClientBuilder {
        let certificate = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE);
        client.tls_certs_only([certificate])
    }
}

const EMAIL: &str = "ada@example.com";

/// Sign-up by way of the web UI, a task, log-out, and log-in again; all of it by https.
pub async fn from_sign_up_to_log_in(place: &Place, visitor: &Visitor) {
    let form = visitor.get(format!("{}/signup", place.web)).await;
    assert!(form.url.as_str().starts_with(&place.idp), "{}", form.url);
    assert_eq!(form.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
    let tasks = visitor.sign_up(&form, EMAIL).await;
    assert_eq!(tasks.url.as_str(), format!("{}/tasks", place.web));
    assert_eq!(tasks.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
    let added = visitor.submit(&tasks, "/tasks", &[("title", "Buy milk"), ("description", "")]).await;
    assert!(added.html.contains("Buy milk"), "{}", added.html);

    let out = visitor.submit(&added, "/logout", &[]).await;
    assert_eq!((out.status.as_u16(), out.url.as_str()), (200, format!("{}/", place.web).as_str()));
    let form = visitor.get(format!("{}/tasks", place.web)).await;
    let back = visitor.log_in(&form, EMAIL, PASSWORD).await;
    assert!(back.html.contains("Buy milk"), "{} {}", back.url, back.html);

    let set = visitor.set.lock().unwrap();
    let names: Vec<&str> = set.iter().map(|line| line.split('=').next().unwrap()).collect();
    for name in ["__Host-latchkey_idp_session", "__Host-latchkey_idp_browser", "__Host-latchkey_web_session"]
    {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    for line in set.iter() {
        let attributes: Vec<&str> = line.split("; ").skip(1).collect();
        let host_only = attributes.contains(&"Path=/") && !line.contains("Domain=");
        let safe = ["Secure", "HttpOnly", "SameSite=Lax"].iter().all(|one| attributes.contains(one));
        assert!(line.starts_with("__Host-") && host_only && safe, "{line}");
    }
    let asked = visitor.asked.lock().unwrap();
    assert!(asked.iter().all(|url| url.scheme() == "https"), "{asked:?}");
}

impl Place {
    /// The same place with https addresses, whose authority the services trust when they call one another.
    pub fn by_https(authority: &Authority) -> Self {
        let mut place = Self::new();
        let addresses = [(); 3].map(|()| format!("https://localhost:{}", free_port()));
        let settings = ["IDP__ISSUER", "API__PUBLIC_URL", "WEB__PUBLIC_URL"];
        for (setting, address) in settings.into_iter().zip(&addresses) {
            place.set(setting, address);
        }
        [place.idp, place.api, place.web] = addresses;
        let file = authority.file(place.dir.path());
        for section in ["API", "WEB"] {
            place.set(&format!("{section}__CA_FILE"), file.to_str().unwrap());
        }
        place
    }

    /// Lets the three services speak https themselves.
    fn with_certificate(&mut self, (certificate, key): &(PathBuf, PathBuf)) {
        for (section, address) in
            [("IDP", self.idp.clone()), ("API", self.api.clone()), ("WEB", self.web.clone())]
        {
            let port = address.rsplit(':').next().unwrap();
            self.set(&format!("{section}__LISTEN"), &format!("127.0.0.1:{port}"));
            self.set(&format!("{section}__TLS__CERTIFICATE"), certificate.to_str().unwrap());
            self.set(&format!("{section}__TLS__KEY"), key.to_str().unwrap());
        }
    }
}

#[tokio::test]
async fn everything_goes_by_https_without_a_proxy() {
    let authority = Authority::new();
    let mut place = Place::by_https(&authority);
    place.with_certificate(&authority.issue(place.dir.path()));
    let node = place.spawn(&[]);
    node.wait_for_output("Ctrl-C").await;
    let visitor = Visitor::with(authority.client().build().unwrap());
    from_sign_up_to_log_in(&place, &visitor).await;

    let by_http = crate::support::http().get(place.idp.replace("https:", "http:")).send().await;
    assert!(by_http.is_err(), "{by_http:?}");
    let stranger = Authority::new().client().build().unwrap();
    assert!(stranger.get(&place.idp).send().await.is_err(), "a certificate of an unknown authority");
    node.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_one_that_cannot_be_used_is_not() {
    let authority = Authority::new();
    let mut place = Place::by_https(&authority);
    let files = authority.issue(place.dir.path());
    place.with_certificate(&files);
    let node = place.spawn(&[]);
    node.wait_for_output("Ctrl-C").await;
    let url = format!("{}/health/live", place.idp);
    // Each client has connections of its own.
    let reachable = async |authority: &Authority| {
        let client = authority.client().build().unwrap();
        client.get(&url).send().await.is_ok()
    };
    let address = place.idp.trim_start_matches("https://").replace("localhost", "127.0.0.1");
    let silent = ["", "\x16\x03\x01\x02"].map(|sent| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        stream
    });

    std::fs::write(&files.0, "half a certif").unwrap();
    wait_for(async || node.log().contains("the known certificate goes on")).await;
    assert!(node.log().contains("server.pem holds no certificate"), "{}", node.log());
    std::fs::remove_file(&files.1).unwrap();
    std::fs::write(&files.0, "half a certificate").unwrap();
    wait_for(async || node.log().contains("server.key: ")).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let said = node.log().matches("the known certificate goes on").count();
    // By each of the three services, once.
    assert_eq!(said, 6, "{}", node.log());
    assert!(reachable(&authority).await);

    let connected = authority.client().build().unwrap();
    assert_eq!(connected.get(&url).send().await.unwrap().status(), 200);
    let renewed = Authority::new();
    renewed.issue(place.dir.path());
    wait_for(async || {
        // It does not know the new authority: this is the connection from before.
        assert_eq!(
            connected.get(&url).send().await.unwrap().status(),
            200,
            "connections that are open go on"
        );
        reachable(&renewed).await
    })
    .await;
    assert_eq!(connected.get(&url).send().await.unwrap().status(), 200);
    assert!(!reachable(&authority).await, "the old certificate is still shown");
    for mut stream in silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.read_to_end(&mut Vec::new()).expect("who says nothing is cut off");
    }
    node.stop().await;
}

async fn wait_for(happened: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !happened().await {
        assert!(started.elapsed() < PATIENCE, "it did not happen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn certificates_that_cannot_be_used_are_mistakes_that_name_the_file() {
    let authority = Authority::new();
    let mut place = Place::by_https(&authority);
    let dir = place.dir.path().to_owned();
    let (certificate, key) = authority.issue(&dir);
    std::fs::create_dir(dir.join("other")).unwrap();
    let (_, others_key) = authority.issue(&dir.join("other"));
    let empty = dir.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let [encrypted, old] =
        [("ENCRYPTED ", ""), ("RSA ", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n")].map(
            |(kind, headers)| {
                let file = dir.join(format!("{}.key", kind.trim()));
                let pem = format!(
                    "-----BEGIN {kind}PRIVATE KEY-----\n{headers}AAAA\n-----END {kind}PRIVATE KEY-----\n"
                );
                std::fs::write(&file, pem).unwrap();
                file
            },
        );
    let says_encrypted = |file: &Path| format!("idp.tls: the private key in {} is encrypted", file.display());
    let missing = dir.join("missing.pem");
    for (certificate, key, expected) in [
        (&missing, &key, format!("idp.tls: cannot read {}: ", missing.display())),
        (&empty, &key, format!("idp.tls: {} holds no certificate", empty.display())),
        (&certificate, &empty, format!("idp.tls: {} holds no private key in PEM", empty.display())),
        (&certificate, &encrypted, says_encrypted(&encrypted)),
        (&certificate, &old, says_encrypted(&old)),
        (
            &certificate,
            &certificate,
            format!("idp.tls: {} holds no private key in PEM", certificate.display()),
        ),
        (&certificate, &others_key, format!("idp.tls: {} and ", certificate.display())),
    ] {
        place.with_certificate(&(certificate.clone(), key.clone()));
        for command in [&["config", "check"][..], &["idp"]] {
            let failure = place.run(command).failure();
            assert!(failure[0].starts_with(&expected), "{expected}: {failure:?}");
        }
    }
    place.with_certificate(&(certificate, key));
    place.run(&["config", "check"]).good();
    place.set("WEB__CA_FILE", empty.to_str().unwrap());
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure, [format!("web.ca_file: {} holds no certificate", empty.display())]);
}

/// DESIGN, rule 11.
#[test]
fn plain_http_is_spoken_to_this_machine_and_to_configured_proxies_only() {
    let authority = Authority::new();
    let mut place = Place::by_https(&authority);
    place.run(&["config", "check"]).good();
    let port = free_port();
    for address in ["0.0.0.0", "[::]", "192.0.2.1"] {
        place.set("IDP__LISTEN", &format!("127.0.0.1:{port},{address}:{port}"));
        let expected = format!(
            "idp.listen: {address}:{port} can be reached from other machines by plain http: set idp.tls, or name \
             the proxy that speaks https in idp.trusted_proxies"
        );
        for command in [&["config", "check"][..], &["idp"], &[]] {
            assert_eq!(place.run(command).failure(), [expected.as_str()]);
        }
    }
    place.set("IDP__TRUSTED_PROXIES", "192.0.2.7/32");
    place.run(&["config", "check"]).good();
    for everybody in ["0.0.0.0/0", "::/0"] {
        place.set("IDP__TRUSTED_PROXIES", &format!("192.0.2.7/32,{everybody}"));
        let expected = format!(
            "idp.trusted_proxies: {everybody} is everybody: anybody could say whose address is counted"
        );
        assert_eq!(place.run(&["config", "check"]).failure(), [expected]);
    }

    // An issuer on loopback is promised to this machine only.
    let mut place = Place::new();
    for address in ["0.0.0.0", "[::]", "192.0.2.1"] {
        place.set("IDP__LISTEN", &format!("127.0.0.1:{port},{address}:{port}"));
        let expected = format!(
            "idp.listen: {address}:{port} can be reached from other machines by plain http: listen on addresses of \
             this machine, or name the proxy that asks it in idp.trusted_proxies"
        );
        assert_eq!(place.run(&["config", "check"]).failure(), [expected]);
    }
    place.set("IDP__TRUSTED_PROXIES", "192.0.2.7/32");
    place.run(&["config", "check"]).good();

    let mut place = Place::new();
    let (certificate, key) = authority.issue(place.dir.path());
    place.set("WEB__TLS__CERTIFICATE", certificate.to_str().unwrap());
    place.set("WEB__TLS__KEY", key.to_str().unwrap());
    let failure = place.run(&["config", "check"]).failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(failure[0].starts_with("web.tls: "), "{failure:?}");
}
