//! Behind Debian's nginx, with the configuration that docs/nginx.conf recommends.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use platform::testing::skip;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use crate::{
    https::{Authority, from_sign_up_to_log_in},
    person::PASSWORD,
    support::{Place, free_port},
    visitor::Visitor,
};

const RECOMMENDED: &str = include_str!("../../../docs/nginx.conf");

/// A place by https whose services speak plain http to the proxy alone. Returns their addresses behind it.
fn behind_proxy(authority: &Authority) -> (Place, [String; 3]) {
    let mut place = Place::by_https(authority);
    let behind = ["IDP", "API", "WEB"].map(|section| {
        let address = format!("127.0.0.1:{}", free_port());
        place.set(&format!("{section}__LISTEN"), &address);
        place.set(&format!("{section}__TRUSTED_PROXIES"), "127.0.0.1/32");
        address
    });
    (place, behind)
}

/// Killed when dropped. It is a single process.
struct Nginx {
    process: Child,
    /// Where it speaks plain http.
    plain: u16,
}

impl Nginx {
    /// `None` ("skipped: …") where it is not installed.
    fn start(place: &Place, behind: &[String; 3], authority: &Authority) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            skip("clients", "nginx was not found");
            return None;
        };
        let directory = place.dir.path().join("nginx");
        std::fs::create_dir(&directory).unwrap();
        let plain = free_port();
        std::fs::write(directory.join("latchkey.conf"), localised(place, behind, authority, plain)).unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", directory.display()));
        let main = format!(
            "daemon off; master_process off; pid nginx.pid; events {{}}\n\
             http {{ access_log off; {} include latchkey.conf; }}",
            temporary.join(" ")
        );
        std::fs::write(directory.join("nginx.conf"), main).unwrap();
        let log = std::fs::File::create(directory.join("stderr")).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(&directory).args(["-c", "nginx.conf", "-e", "stderr"]);
        Some(Self { process: command.stdin(Stdio::null()).stderr(log).spawn().unwrap(), plain })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The recommended configuration with the names, ports and files of this test.
fn localised(place: &Place, behind: &[String; 3], authority: &Authority, plain: u16) -> String {
    let (certificate, key) = authority.issue(place.dir.path());
    let letsencrypt = "/etc/letsencrypt/live/example.com";
    let mut replacements = vec![
        (format!("{letsencrypt}/fullchain.pem"), certificate.display().to_string()),
        (format!("{letsencrypt}/privkey.pem"), key.display().to_string()),
        ("    listen 80;\n    listen [::]:80;\n".to_owned(), format!("    listen 127.0.0.1:{plain};\n")),
        (
            "    listen 80 default_server;\n    listen [::]:80 default_server;\n".to_owned(),
            format!("    listen 127.0.0.1:{plain} default_server;\n"),
        ),
        (
            "    server_name id.example.com api.example.com tasks.example.com;".to_owned(),
            "    server_name localhost;".to_owned(),
        ),
    ];
    let defaults = [&place.idp, &place.api, &place.web].map(|url| {
        format!("    listen 127.0.0.1:{} ssl http2 default_server;\n", url.rsplit(':').next().unwrap())
    });
    let default = "    listen 443 ssl http2 default_server;\n    listen [::]:443 ssl http2 default_server;\n";
    replacements.push((default.to_owned(), defaults.concat()));
    let services = [("id", &place.idp, "9000"), ("api", &place.api, "8000"), ("tasks", &place.web, "3000")];
    for ((name, url, port), address) in services.into_iter().zip(behind) {
        let outside = url.rsplit(':').next().unwrap();
        replacements.push((
            format!(
                "    listen 443 ssl http2;\n    listen [::]:443 ssl http2;\n    server_name {name}.example.com;"
            ),
            format!("    listen 127.0.0.1:{outside} ssl http2;\n    server_name localhost;"),
        ));
        replacements.push((format!("http://127.0.0.1:{port};"), format!("http://{address};")));
    }
    let mut text = RECOMMENDED.to_owned();
    for (ours, theirs) in &replacements {
        assert_eq!(text.matches(ours.as_str()).count(), 1, "{ours}");
        text = text.replace(ours, theirs);
    }
    text
}

#[tokio::test]
async fn from_sign_up_to_log_in_behind_nginx() {
    let authority = Authority::new();
    let (place, behind) = behind_proxy(&authority);
    let Some(nginx) = Nginx::start(&place, &behind, &authority) else { return };
    let node = place.spawn(&[]);
    node.wait_for_output("Ctrl-C").await;
    let visitor = Visitor::with(authority.client().build().unwrap());
    from_sign_up_to_log_in(&place, &visitor).await;

    // An app's state is sent back whole, however long it is.
    place.run(&["client", "add", "app", "--first-party", "--redirect-uri", "https://localhost:9/cb"]).good();
    let state = "s".repeat(6000);
    let parameters = [
        ("client_id", "app"),
        ("redirect_uri", "https://localhost:9/cb"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", &state),
        ("prompt", "none"),
    ];
    let url = Url::parse_with_params(&format!("{}/authorize", place.idp), parameters).unwrap();
    let answer = visitor.cookies.send(visitor.http.get(url)).await.unwrap();
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("https://localhost:9/cb?") && location.contains(&state), "{location}");

    // Nothing but the issuer's address is in what it publishes, whatever name it was asked by.
    let discovery = "/.well-known/openid-configuration";
    let http1 = authority.client().http1_only().build().unwrap();
    let directly = format!("http://{}{discovery}", behind[0]);
    let asked = http1.get(directly).header("host", "evil.example").send().await.unwrap();
    let published = asked.text().await.unwrap();
    let clean = !published.contains("evil") && !published.contains("http://");
    assert!(published.contains(&place.idp) && clean, "{published}");

    // By another name nginx answers nothing, and leads nowhere.
    let plain = format!("http://127.0.0.1:{}/", nginx.plain);
    let moved = http1.get(&plain).header("host", "localhost").send().await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()),
        (301, "https://localhost/")
    );
    for url in [&plain, &format!("{}{discovery}", place.idp)] {
        let asked = http1.get(url).header("host", "evil.example").send().await;
        assert!(asked.is_err(), "{asked:?}");
    }
    let port = place.idp.rsplit(':').next().unwrap();
    let unknown = authority
        .client()
        .tls_danger_accept_invalid_certs(true)
        .resolve("evil.example", ([127, 0, 0, 1], port.parse().unwrap()).into());
    let asked = unknown.build().unwrap().get(format!("https://evil.example:{port}/")).send().await;
    assert!(asked.is_err(), "{asked:?}");

    // What is too large is refused in the form that apps expect.
    let large = http1.post(format!("{}/token", place.idp)).body("x".repeat(66 * 1024)).send().await.unwrap();
    assert_eq!(
        (large.status().as_u16(), large.text().await.unwrap().as_str()),
        (413, r#"{"error":"invalid_request"}"#)
    );
    node.stop().await;
}

#[tokio::test]
async fn attempts_are_counted_by_the_address_that_nginx_saw() {
    let authority = Authority::new();
    let (mut place, behind) = behind_proxy(&authority);
    place.set("IDP__THROTTLE__PER_NETWORK", "3");
    let Some(_nginx) = Nginx::start(&place, &behind, &authority) else { return };
    let node = place.spawn(&["idp"]);
    node.wait_for_output("identity provider is running").await;
    place.run_with_input(&["user", "add", "ada@example.com", "--name", "Ada"], PASSWORD).good();

    let from = |last: u8| authority.client().local_address(IpAddr::from(Ipv4Addr::new(127, 0, 0, last)));
    let login = format!("{}/login", place.idp);
    let guesser = Visitor::with(from(2).build().unwrap());
    let form = guesser.get(&login).await;
    let mut counted = 0;
    // Three are free, three more wait for 1, 2 and 4 seconds: then there are 8 for what follows.
    while counted < 6 {
        let page = guesser.log_in(&form, &format!("{counted}@example.com"), "not the password").await;
        assert!(page.status == 422 || (counted >= 3 && page.status == 429), "{page:?}");
        counted += usize::from(page.status == 422);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(guesser.log_in(&form, "ada@example.com", PASSWORD).await.status, 429);

    // nginx passes on what it saw, not what the client claims.
    let claimed = [(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("198.51.100.1"))];
    let liar = Visitor::with(from(2).default_headers(claimed.into_iter().collect()).build().unwrap());
    let form = liar.get(&login).await;
    assert_eq!(liar.log_in(&form, "ada@example.com", PASSWORD).await.status, 429);
    let other = Visitor::with(from(3).build().unwrap());
    let form = other.get(&login).await;
    let page = other.log_in(&form, "ada@example.com", PASSWORD).await;
    assert_eq!(page.url.as_str(), format!("{}/account", place.idp), "{page:?}");

    // Who comes past the proxy is not believed either.
    let past = reqwest::Client::builder().local_address(IpAddr::from(Ipv4Addr::new(127, 0, 0, 4)));
    let past = past.build().unwrap().get(format!("http://{}/jwks", behind[0]));
    assert_eq!(past.header("x-forwarded-for", "198.51.100.9").send().await.unwrap().status(), 200);
    let log = node.log();
    assert!(log.contains("127.0.0.2") && log.contains("127.0.0.4"), "{log}");
    assert!(!log.contains("198.51.100."), "{log}");
    node.stop().await;
}
