//! Debian's Apache with mod_auth_openidc, a certified relying party, against the real binary.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use platform::{on_each_database, testing::skip};
use tempfile::TempDir;
use url::Url;

use crate::{
    support::{PATIENCE, Place, decode, free_port, http},
    visitor::{Page, Visitor},
};

const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// A site whose pages only people of the provider see. A single process, killed when dropped.
struct Apache {
    process: Child,
    url: String,
    directory: TempDir,
}

impl Apache {
    fn is_installed() -> bool {
        let installed =
            [PROGRAM, &format!("{MODULES}/mod_auth_openidc.so")].iter().all(|file| Path::new(file).exists());
        if !installed {
            skip("clients", "Apache with mod_auth_openidc was not found");
        }
        installed
    }

    async fn start(place: &Place, url: &str, secret: &str, response_mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Started by root, it serves as somebody who may not read what is ours.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        for page in ["private", "bye"] {
            fs::create_dir_all(directory.path().join("pages").join(page)).unwrap();
            fs::write(directory.path().join("pages").join(page).join("index.html"), page).unwrap();
        }
        let modules =
            ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "dir", "auth_openidc"]
                .map(|module| format!("LoadModule {module}_module {MODULES}/mod_{module}.so"));
        let claims = ["sub", "name", "email"]
            .map(|claim| format!("Header set X-{claim} \"expr=%{{env:OIDC_CLAIM_{claim}}}\""));
        let configuration = format!(
            "ServerRoot {root}\nDocumentRoot {root}/pages\nPidFile {root}/pid\nErrorLog {root}/log\nServerName localhost\n\
             Listen {port}\nUser nobody\nGroup nogroup\n{modules}\nMutex file:{root} default\n\
             OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration\n\
             OIDCClientID apache\nOIDCClientSecret {secret}\nOIDCRedirectURI {url}/private/callback\n\
             OIDCCryptoPassphrase a-passphrase-of-this-test\nOIDCScope \"openid profile email\"\n\
             OIDCPKCEMethod S256\nOIDCResponseMode {response_mode}\nOIDCRemoteUserClaim sub\n\
             <Location /private>\nAuthType openid-connect\nRequire valid-user\n\
             OIDCRefreshAccessTokenBeforeExpiry 3600 logout_on_error\n{claims}\n\
             Header set X-Token \"expr=%{{env:OIDC_access_token}}\"\n</Location>\n",
            root = directory.path().display(),
            port = url.rsplit(':').next().unwrap(),
            modules = modules.join("\n"),
            issuer = place.idp,
            claims = claims.join("\n"),
        );
        let file = directory.path().join("apache.conf");
        fs::write(&file, configuration).unwrap();
        let output = fs::File::create(directory.path().join("stderr")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("-X").arg("-f").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let mut apache = Self { process: command.spawn().unwrap(), url: url.to_owned(), directory };
        apache.wait_until_it_serves().await;
        apache
    }

    async fn wait_until_it_serves(&mut self) {
        let started = Instant::now();
        while http().get(format!("{}/bye/", self.url)).send().await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "Apache does not serve: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> String {
        let files = ["stderr", "log"].map(|file| fs::read_to_string(self.directory.path().join(file)));
        files.into_iter().flatten().collect()
    }

    fn shows(&self, page: &Page) -> bool {
        page.status == 200 && page.url.as_str() == format!("{}/private/", self.url) && page.html == "private"
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

on_each_database! {
    async fn apaches_openid_connect_module_logs_people_in_and_out(db) {
        if !Apache::is_installed() {
            return;
        }
        let place = Place::on(db).await;
        let node = place.start().await;
        let url = format!("http://localhost:{}", free_port());
        let (callback, bye) = (format!("{url}/private/callback"), format!("{url}/bye/"));
        let arguments = ["client", "add", "apache", "--first-party", "--redirect-uri", &callback];
        let ran = place.run(&[&arguments[..], &["--post-logout-redirect-uri", &bye]].concat()).good();
        let secret = ran.value("client_secret");
        for response_mode in ["query", "form_post"] {
            let apache = Apache::start(&place, &url, &secret, response_mode).await;
            visit(&apache, &place, response_mode).await;
        }
        node.stop().await;
    }
}

/// Log-in, a page for this person alone, refreshing, and log-out of the site and of the provider.
async fn visit(apache: &Apache, place: &Place, response_mode: &str) {
    let visitor = Visitor::with(http());
    let private = format!("{}/private/", apache.url);
    let form = visitor.get(&private).await;
    let asked = visitor.asked.lock().unwrap().iter().find(|url| url.path() == "/authorize").cloned();
    let asked = asked.unwrap_or_else(|| panic!("no request for a code\n{}", apache.log()));
    let sent: Vec<_> = asked.query_pairs().collect();
    let has = |name: &str, value: &str| sent.iter().any(|(key, held)| key == name && held == value);
    assert!(has("code_challenge_method", "S256") && has("response_type", "code"), "{asked}");
    assert!(response_mode == "query" || has("response_mode", response_mode), "{asked}");

    let email = format!("{response_mode}@example.com");
    let (_, hidden) = form.form("/login");
    let (_, handle) = hidden.iter().find(|(name, _)| name == "request").unwrap();
    let form = visitor.get(format!("{}/signup?request={handle}", place.idp)).await;
    let mut page = visitor.sign_up(&form, &email).await;
    if response_mode == "form_post" {
        page = visitor.submit(&page, "/private/callback", &[]).await;
    }
    assert!(apache.shows(&page), "{page:?}\n{}", apache.log());
    assert_eq!((page.header("x-name"), page.header("x-email")), ("Ada", email.as_str()));

    let first = page.header("x-token").to_owned();
    assert_eq!(decode(&first, 1)["sub"], page.header("x-sub"));
    // It refreshes what expires within the hour: every time that it is asked.
    let again = visitor.get(&private).await;
    assert!(apache.shows(&again), "{again:?}\n{}", apache.log());
    assert_ne!(again.header("x-token"), first);
    assert_eq!((again.header("x-sub"), again.header("x-email")), (page.header("x-sub"), email.as_str()));

    let bye = format!("{}/bye/", apache.url);
    let logout = format!("{}/private/callback", apache.url);
    let out = visitor.get(Url::parse_with_params(&logout, [("logout", &bye)]).unwrap()).await;
    assert_eq!((out.url.as_str(), out.html.as_str()), (bye.as_str(), "bye"), "{}", apache.log());
    let back = visitor.get(&private).await;
    assert!(back.url.as_str().starts_with(&format!("{}/login", place.idp)), "{back:?}");
}
