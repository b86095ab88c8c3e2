//! Against real servers on loopback.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    http::header,
    response::Redirect,
    routing::{get, post},
};
use platform::{
    config::Mistakes,
    server::Shutdown,
    testing::{TestServer, serve},
    tls::Tls,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

/// Answers each question with the next list of addresses, and goes on with the last.
struct Fickle(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolve for Fickle {
    fn resolve(&self, _: Name) -> Resolving {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let found: Vec<_> =
            answer.unwrap().into_iter().map(|address| SocketAddr::from((address, 0))).collect();
        Box::pin(async { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn config(issuer: &str, allowed: &[&str]) -> Config {
    let mut config = Config { issuer: issuer.to_owned(), ..Config::default() };
    config.outbound.allowed_addresses = allowed.iter().map(|net| net.parse().unwrap()).collect();
    config
}

fn outbound(allowed: &[&str]) -> Outbound {
    Outbound::new(&config("http://localhost:9000", allowed)).unwrap()
}

fn fickle(answers: &[&[&str]]) -> Outbound {
    let answers =
        answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect());
    let lookup = Arc::new(Fickle(Mutex::new(answers.collect())));
    Outbound::resolving(&config("http://localhost:9000", &["127.0.0.1/32"]), lookup).unwrap()
}

fn server(router: Router) -> (TestServer, u16) {
    let (listener, url) = TestServer::reserve();
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    (serve(listener, &router, Shutdown::default()), port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_fetched_and_a_form_is_posted() {
    let router = Router::new()
        .route("/document", get(async || "fine"))
        .route("/form", post(async |body: Bytes| if body == "a=b%26" { "" } else { panic!("{body:?}") }));
    let (_server, port) = server(router);
    let outbound = outbound(&["127.0.0.0/8"]);
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(outbound.get(&format!("http://{host}:{port}/document")).await.unwrap(), b"fine");
    }
    let status = outbound.post(&format!("http://localhost:{port}/form"), &[("a", "b&")]).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let missing = outbound.get(&format!("http://localhost:{port}/missing")).await;
    assert!(matches!(missing, Err(Error::Status(StatusCode::NOT_FOUND))), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_reaches_this_machine_unless_it_is_allowed() {
    static REACHED: AtomicUsize = AtomicUsize::new(0);
    let (_server, port) =
        server(Router::new().fallback(async || REACHED.fetch_add(1, Ordering::SeqCst).to_string()));
    let hosts = [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user@localhost",
        "localhost.",
    ];
    for issuer in ["http://localhost:9000", "https://id.example"] {
        let outbound = Outbound::new(&config(issuer, &[])).unwrap();
        for (scheme, host) in hosts.iter().flat_map(|host| [("http", host), ("https", host)]) {
            let uri = format!("{scheme}://{host}:{port}/");
            assert!(outbound.get(&uri).await.is_err() && outbound.post(&uri, &[]).await.is_err(), "{uri}");
        }
    }
    // Allowed, but not by http, where the issuer itself is https.
    let allowed = ["127.0.0.0/8", "::1/128"];
    let outbound = Outbound::new(&config("https://id.example", &allowed)).unwrap();
    let refused = outbound.get(&format!("http://localhost:{port}/")).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert_eq!(REACHED.load(Ordering::SeqCst), 0);
}

/// What nobody but this program chose is asked wherever it is; what only looks like it is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_our_own_is_that_address_alone() {
    let (_server, port) = server(Router::new().fallback(async || "reached"));
    let own = format!("http://localhost:{port}/own");
    let mut config = config("https://id.example", &[]);
    config.outbound.own = vec![own.clone()];
    let outbound = Outbound::new(&config).unwrap();
    assert_eq!(outbound.get(&own).await.unwrap(), b"reached");
    for other in [
        format!("{own}/"),
        format!("{own}?"),
        format!("http://127.0.0.1:{port}/own"),
        format!("http://localhost:{port}/"),
    ] {
        assert!(outbound.get(&other).await.is_err(), "{other}");
    }
}

/// The connection goes to the address that was checked, whatever the name is said to be a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (_server, port) = server(Router::new().fallback(async || "reached"));
    let uri = format!("http://localhost:{port}/");
    assert_eq!(
        fickle(&[&["127.0.0.1"], &["10.0.0.1"]]).get(&uri).await.unwrap(),
        b"reached",
        "it is asked once"
    );
    assert_eq!(
        fickle(&[&["10.0.0.1", "127.0.0.1", "::1"]]).get(&uri).await.unwrap(),
        b"reached",
        "the others are left out"
    );
    let outbound = fickle(&[&["10.0.0.1", "169.254.169.254"], &["127.0.0.1"]]);
    let refused = outbound.get(&uri).await.unwrap_err().to_string();
    assert!(refused.contains("no public address"), "{refused}");
    assert_eq!(outbound.get(&uri).await.unwrap(), b"reached");
    assert!(fickle(&[&[]]).get(&uri).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let router = Router::new()
        .route("/elsewhere", get(async || "reached"))
        .fallback(async || Redirect::temporary("/elsewhere"));
    let (_server, port) = server(router);
    let outbound = outbound(&["127.0.0.0/8"]);
    let uri = format!("http://127.0.0.1:{port}/");
    let refused = outbound.get(&uri).await;
    assert!(matches!(refused, Err(Error::Status(StatusCode::TEMPORARY_REDIRECT))), "{refused:?}");
    assert_eq!(outbound.post(&uri, &[]).await.unwrap(), StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_large_answers_are_cut_off() {
    let large = |size: usize| async move { vec![b'x'; size] };
    let router = Router::new()
        .route("/slow", get(async || tokio::time::sleep(TIMEOUT * 3).await))
        .route("/fits", get(move || large(MAX_DOCUMENT)))
        .route("/large", get(move || large(MAX_DOCUMENT + 1)))
        .route(
            "/endless",
            get(async || {
                let drops = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x"));
                let slowly = futures_util::StreamExt::then(drops, async |drop| {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    drop
                });
                ([(header::CONTENT_TYPE, "application/json")], axum::body::Body::from_stream(slowly))
            }),
        );
    let (_server, port) = server(router);
    let outbound = outbound(&["127.0.0.0/8"]);
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    assert_eq!(outbound.get(&at("/fits")).await.unwrap().len(), MAX_DOCUMENT);
    assert!(matches!(outbound.get(&at("/large")).await, Err(Error::TooLarge)));
    let started = Instant::now();
    let (slow, endless) = (at("/slow"), at("/endless"));
    let (slow, endless) = tokio::join!(outbound.get(&slow), outbound.get(&endless));
    assert!(
        matches!((&slow, &endless), (Err(Error::Failed(_)), Err(Error::Failed(_)))),
        "{slow:?} {endless:?}"
    );
    assert!(started.elapsed() < TIMEOUT * 2, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_by_https_has_to_prove_who_it_is() {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, another) = (authority("ours"), authority("another"));
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: String| {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let tls = Tls {
        certificate: file("server.pem", certificate.pem()),
        key: file("server.key", key.serialize_pem()),
    };
    let (listener, url) = TestServer::reserve();
    let shutdown = Shutdown::default();
    let router = Router::new().fallback(async || "reached");
    platform::server::serve(vec![listener], &router, Some(&tls), &shutdown).unwrap();
    let at = |host: &str| format!("https://{host}:{}/", url.rsplit(':').next().unwrap());

    let trusting = |authority: Option<String>| {
        let mut config = config("https://id.example", &["127.0.0.0/8"]);
        config.outbound.ca_file = authority.map(|pem| file("ca.pem", pem));
        Outbound::new(&config).unwrap()
    };
    assert_eq!(trusting(Some(ours.pem())).get(&at("localhost")).await.unwrap(), b"reached");
    for (authority, host) in
        [(None, "localhost"), (Some(another.pem()), "localhost"), (Some(ours.pem()), "127.0.0.1")]
    {
        let refused = trusting(authority.clone()).get(&at(host)).await;
        assert!(matches!(refused, Err(Error::Failed(_))), "{authority:?} {host}: {refused:?}");
    }
    shutdown.token.cancel();

    for wrong in [directory.path().join("missing.pem"), file("empty.pem", String::new())] {
        let mut config = config("https://id.example", &[]);
        config.outbound.ca_file = Some(wrong);
        let mut mistakes = Mistakes::default();
        config.check(&mut mistakes);
        assert!(mistakes.0.iter().any(|mistake| mistake.key == "idp.outbound.ca_file"), "{mistakes}");
        assert!(Outbound::new(&config).is_err());
    }
}

#[test]
fn only_what_could_be_asked_is_registered() {
    for good in [
        "https://app.example/keys?a=b",
        "https://app.example:8443/",
        "http://localhost:3000/x",
        "http://127.0.0.1/",
        "http://[::1]:1/",
    ] {
        assert_eq!(refuse_registration(good), None, "{good}");
    }
    for bad in [
        "",
        "/keys",
        "app.example/keys",
        "http://app.example/keys",
        "https://app.example/#x",
        "https://u:p@app.example/",
        "https://u@app.example/",
        "https://app.example/a b",
        "https://app.example\\x",
        "file:///etc/passwd",
        "ftp://app.example/",
        "javascript:alert(1)",
        "https://",
        "http://localhost.evil.example/",
        "unix:/run/x",
        "https://b\u{fc}cher.example/",
    ] {
        assert!(refuse_registration(bad).is_some(), "{bad}");
    }
}
