//! A real browser: headless Chromium behind its own ChromeDriver, both gone when the test ends.

use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    os::unix::process::CommandExt,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

/// How long a page may take to show what a test waits for; a loaded CI machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// What kind of browser a test wants.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Width and height of the window, in CSS pixels.
    pub window: (u32, u32),
    pub javascript: bool,
    /// `prefers-color-scheme: dark`.
    pub dark: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { window: (1280, 900), javascript: true, dark: false }
    }
}

/// An open browser window. Everything that [`fantoccini::Client`] can do, and what our tests need often.
#[derive(Debug)]
pub struct Browser {
    client: Client,
}

impl Deref for Browser {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Runs `test` with a browser of its own; says "skipped: …" where there is none.
///
/// When the test fails, what the browser showed is left in a file, whose name is printed.
pub async fn browser(options: Options, test: impl AsyncFnOnce(&Browser)) {
    let Some((chromium, chromedriver)) = find("chromium").zip(find("chromedriver")) else {
        return super::skip("browser", "chromium and chromedriver were not found");
    };
    let driver = Driver::start(&chromedriver);
    let profile = tempfile::tempdir().expect("a directory for the browser's profile");
    let browser = Browser::open(&driver, &chromium, profile.path(), options).await;
    let outcome = AssertUnwindSafe(test(&browser)).catch_unwind().await;
    if outcome.is_err() {
        browser.leave_evidence().await;
    }
    let _ = browser.client.close().await;
    drop(driver);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Browser {
    async fn open(driver: &Driver, chromium: &Path, profile: &Path, options: Options) -> Self {
        let (width, height) = options.window;
        let args = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", profile.display()),
            format!("--window-size={width},{height}"),
        ];
        let preferences = json!({
            "credentials_enable_service": false,
            // 1 allows, 2 blocks.
            "profile.managed_default_content_settings.javascript": if options.javascript { 1 } else { 2 },
        });
        let chrome = json!({ "binary": chromium, "args": args, "prefs": preferences });
        let capabilities = [("goog:chromeOptions".to_owned(), chrome)].into_iter().collect();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url)
            .await
            .expect("ChromeDriver opens Chromium");
        let browser = Self { client };
        browser.resize(width, height, options.dark).await;
        browser
    }

    /// The size of the page itself, without the window's frame, and the colour scheme that it is told to prefer.
    pub async fn resize(&self, width: u32, height: u32, dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn cdp(&self, method: &str, params: Value) -> Value {
        let command = Cdp { body: json!({ "cmd": method, "params": params }).to_string() };
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The element, as soon as there is one.
    pub async fn wait_css(&self, selector: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {selector} at {}: {error}", self.address().await),
        }
    }

    /// Types into the field of that name, over what it held.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.wait_css(&format!("[name='{name}']")).await;
        field.clear().await.expect("a field that can be emptied");
        field.send_keys(text).await.expect("a field that can be typed into");
    }

    /// Clicks, once the element is there, and as a person would: not where something else lies over it.
    pub async fn click(&self, selector: &str) {
        let element = self.wait_css(selector).await;
        let middle = "arguments[0].scrollIntoView({ block: 'center' })";
        let _ = self.client.execute(middle, vec![json!(element)]).await;
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Waits until the address begins with `prefix`.
    pub async fn wait_for_address(&self, prefix: &str) {
        self.until(&format!("an address {prefix}…"), async || self.address().await.starts_with(prefix)).await;
    }

    /// Waits until the page shows `text`.
    pub async fn wait_for_text(&self, text: &str) {
        self.until(&format!("the text {text:?}"), async || self.shows(text).await).await;
    }

    /// Asks again and again until `condition` holds; a test that waits too long fails.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let waiting = async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("waited for {what}, but at {} there is:\n{}", self.address().await, self.text().await);
        }
    }

    async fn shows(&self, text: &str) -> bool {
        self.text().await.contains(text)
    }

    /// What the page says, as a person would read it. Empty while one page gives way to the next.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    pub async fn address(&self) -> String {
        self.client.current_url().await.map(String::from).unwrap_or_default()
    }

    async fn leave_evidence(&self) {
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let file = std::env::temp_dir().join(format!("latchkey-{name}.png"));
        if let Ok(png) = self.client.screenshot().await {
            let _ = std::fs::write(&file, png);
            eprintln!("the browser was at {} and showed {}", self.address().await, file.display());
        }
    }
}

/// ChromeDriver on a free port; it and every browser that it started are killed when dropped.
#[derive(Debug)]
struct Driver {
    url: String,
    process: Child,
}

impl Driver {
    /// ChromeDriver looks for a port that is free for IPv4 and IPv6, and gives up when somebody takes it first.
    fn start(program: &Path) -> Self {
        (0..10).find_map(|_| Self::try_start(program)).expect("ChromeDriver finds a port")
    }

    fn try_start(program: &Path) -> Option<Self> {
        let mut process = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("ChromeDriver starts");
        let output = process.stdout.take().expect("a piped output");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port: Option<u16> = lines
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let Some(port) = port else {
            let _ = process.wait();
            return None;
        };
        // Read on, or it would block once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { url: format!("http://127.0.0.1:{port}"), process })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

#[derive(Debug)]
struct Cdp {
    body: String,
}

impl WebDriverCompatibleCommand for Cdp {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.body.clone()))
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use axum::{Router, response::Html, routing::get};

    use super::*;
    use crate::{
        server::Shutdown,
        testing::{TestServer, serve},
    };

    const PAGE: &str = "<!doctype html><title>Door</title>
        <style>p { color: black } @media (prefers-color-scheme: dark) { p { color: white } }</style>
        <p>Plain</p><input name='key' value='old'>
        <script>document.querySelector('p').textContent = 'Scripted ' + innerWidth</script>";

    #[tokio::test]
    async fn a_browser_shows_a_page_with_and_without_scripts() {
        let (listener, _) = TestServer::reserve();
        let server =
            serve(listener, &Router::new().route("/", get(|| async { Html(PAGE) })), Shutdown::default());
        let colour =
            async |browser: &Browser| browser.wait_css("p").await.css_value("color").await.expect("a colour");
        browser(Options { window: (360, 640), dark: true, ..Options::default() }, async |browser| {
            browser.goto(&server.url).await.unwrap();
            browser.wait_for_text("Scripted 360").await;
            assert_eq!(colour(browser).await, "rgba(255, 255, 255, 1)");
            browser.fill("key", "new").await;
            let typed = browser.wait_css("input").await.prop("value").await.unwrap();
            assert_eq!(typed.as_deref(), Some("new"));
        })
        .await;
        browser(Options { javascript: false, ..Options::default() }, async |browser| {
            browser.goto(&server.url).await.unwrap();
            browser.wait_for_text("Plain").await;
            assert_eq!(colour(browser).await, "rgba(0, 0, 0, 1)");
        })
        .await;
    }
}
