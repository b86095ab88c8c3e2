//! Which browser and which system somebody uses, as far as `User-Agent` (RFC 9110 §10.1.5) says so. It is shown to
//! people so that they know their devices again; nothing is decided by it.

use std::fmt;

/// What a `User-Agent` says, of what we know. `Display` is for people: `Firefox on Linux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAgent {
    browser: Option<&'static str>,
    system: Option<&'static str>,
    mobile: bool,
}

/// What all browsers call themselves.
const EVERYBODY: [&str; 6] = ["Mozilla", "AppleWebKit", "Gecko", "Version", "Mobile", "Safari"];
/// The product that is a browser's own, and what it names beside it. Whoever names anything else is another one.
const BROWSERS: [(&str, &[&str], &[&str]); 4] = [
    ("Edge", &["Edg", "EdgA", "EdgiOS"], &["Chrome"]),
    ("Firefox", &["Firefox", "FxiOS"], &[]),
    ("Chrome", &["Chrome", "CriOS"], &[]),
    ("Safari", &["Version"], &[]),
];
/// In this order: Android says that it is Linux, and iOS that it is like Mac OS X.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

impl UserAgent {
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let (products, comments) = split(header);
        let names: Vec<&str> =
            products.split_whitespace().filter_map(|product| product.split('/').next()).collect();
        let browser = BROWSERS.iter().find(|(_, own, beside)| {
            names.iter().any(|name| own.contains(name))
                && names
                    .iter()
                    .all(|name| own.contains(name) || beside.contains(name) || EVERYBODY.contains(name))
        });
        let system = SYSTEMS.iter().find(|(word, _)| comments.contains(word));
        Self {
            browser: browser.map(|(browser, ..)| *browser),
            system: system.map(|(_, system)| *system),
            mobile: names.contains(&"Mobile") || comments.contains("Mobile"),
        }
    }
}

/// What stands outside and inside of parentheses: products and comments.
fn split(header: &str) -> (String, String) {
    let (mut products, mut comments, mut depth) = (String::new(), String::new(), 0_usize);
    for character in header.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => products.push(character),
            _ => comments.push(character),
        }
    }
    (products, comments)
}

impl fmt::Display for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.browser, self.system) {
            (Some(browser), Some(system)) => write!(f, "{browser} on {system}")?,
            (Some(browser), None) => write!(f, "{browser} on a system that we do not know")?,
            (None, Some(system)) => write!(f, "A browser that we do not know, on {system}")?,
            (None, None) => f.write_str("A browser that we do not know")?,
        }
        if self.mobile { f.write_str(", mobile") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_browsers_and_systems_are_known_and_others_are_not_taken_for_them() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let ios = "(iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let said = [
            ("(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), "Firefox on Linux"),
            ("(Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0".to_owned(), "Firefox on Android, mobile"),
            (format!("{ios} FxiOS/140.0 Mobile/15E148 Safari/605.1.15"), "Firefox on iOS, mobile"),
            (format!("(Windows NT 10.0; Win64; x64) {webkit} Chrome/140.0.0.0 Safari/537.36"), "Chrome on Windows"),
            (format!("(Linux; Android 10; K) {webkit} Chrome/140.0.0.0 Mobile Safari/537.36"), "Chrome on Android, mobile"),
            (format!("{ios} CriOS/140.0.1 Mobile/15E148 Safari/604.1"), "Chrome on iOS, mobile"),
            (format!("(X11; CrOS x86_64 14541.0.0) {webkit} Chrome/140.0.0.0 Safari/537.36"), "Chrome on ChromeOS"),
            (
                format!("(Windows NT 10.0; Win64; x64) {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
                "Edge on Windows",
            ),
            (
                "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
                    .to_owned(),
                "Safari on macOS",
            ),
            (format!("{ios} Version/18.5 Mobile/15E148 Safari/604.1"), "Safari on iOS, mobile"),
            (
                format!("(X11; Linux x86_64) {webkit} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0"),
                "A browser that we do not know, on Linux",
            ),
            (format!("(X11; Linux x86_64) {webkit} HeadlessChrome/140.0.0.0 Safari/537.36"), "A browser that we do not know, on Linux"),
            ("(PlayStation; PlayStation 5/9.0) Gecko/140.0 Firefox/140.0".to_owned(), "Firefox on a system that we do not know"),
        ];
        for (rest, words) in said {
            assert_eq!(UserAgent::parse(&format!("Mozilla/5.0 {rest}")).to_string(), words, "{rest}");
        }
        for nonsense in ["", "curl/8.5.0", "Chrome Linux", "((((Firefox/1", "\u{fe0f}/ /"] {
            assert_eq!(UserAgent::parse(nonsense).to_string(), "A browser that we do not know", "{nonsense}");
        }
    }
}
