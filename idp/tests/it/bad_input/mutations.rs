//! What can be wrong with a request.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    dice::Dice,
    request::Sent,
    world::{KINDS, World, basic},
};

const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];
const CONTENT_TYPES: [&str; 8] = [
    "",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencodedx",
    "APPLICATION/X-WWW-FORM-URLENCODED",
    "application/x-www-form-urlencoded, text/plain",
];
/// Parameters that some endpoint understands.
const NAMES: [&str; 42] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "prompt",
    "max_age",
    "id_token_hint",
    "login_hint",
    "acr_values",
    "claims",
    "resource",
    "request",
    "request_uri",
    "registration",
    "code",
    "code_verifier",
    "grant_type",
    "refresh_token",
    "client_secret",
    "token",
    "token_type_hint",
    "access_token",
    "client_assertion",
    "client_assertion_type",
    "form_token",
    "email",
    "password",
    "name",
    "decision",
    "post_logout_redirect_uri",
    "audience",
    "user_code",
    "device_code",
    "iss",
    "__proto__",
    "",
    "\0",
];
const WORDS: [&str; 34] = [
    "none",
    "login",
    "none login",
    "consent",
    "create",
    "select_account",
    "code",
    "token",
    "code id_token",
    "query",
    "form_post",
    "fragment",
    "jwt",
    "S256",
    "plain",
    "openid",
    "openid openid",
    "offline_access",
    "tasks:write admin",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    "implicit",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "web",
    "other",
    "shop",
    "spa",
    "robot",
    "nobody",
    "allow",
    "deny",
];
/// `//e`, `/\e` and their like; some are registered, for another client or another purpose.
const PLACES: [&str; 22] = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%09/evil.example",
    "javascript:alert(1)",
    "data:text/html,evil",
    "https://web.example@evil.example/cb",
    "https://web.example.evil.example/cb",
    "https://evil.example/https://web.example/cb",
    "https://web.example/cb/../evil",
    "https://web.example/cb?evil=1",
    "https://web.example/cb#evil",
    "https://web.example/bye",
    "https://other.example/cb",
    "https://other.example/bye",
    "https://WEB.example/cb",
    "http://web.example/cb",
    "https://web.example:443/cb",
    "https://web.example/cb\r\nX-Evil: 1",
    "http://127.0.0.1:9/cb",
    "about:blank",
    "https://[::1",
];
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1.5",
    "1e9",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "\u{0661}",
    "+5",
    "NaN",
    " 7",
];
/// Text that something on its way might not take for text. `MARKUP` must never be on a page as it is.
pub const MARKUP: &str = "\"><i id=evil>'&lt;";
const TEXTS: [&str; 20] = [
    MARKUP,
    "{{7*7}}",
    "${jndi:ldap://evil.example}",
    "' OR '1'='1",
    "\"; DROP TABLE users; --",
    "%00",
    "%",
    "%zz",
    "%25%30%30",
    "../../etc/passwd",
    "null",
    "true",
    "[]",
    "{}",
    "\u{202e}gnirts",
    "e\u{301}\u{301}\u{301}",
    "\u{fffd}",
    "\u{10ffff}",
    "a\u{a0}b",
    "😀",
];
const BYTES: [&[u8]; 12] = [
    b"\0",
    b"a\0b",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\r\nSet-Cookie: evil=1",
    b"\x1b[2J",
    b"\x7f",
    b"\x01\x02\x03",
    b" ",
];

/// What storage, encodings, limits and pages may stumble over, at the end of a value that is good until there.
const TAILS: [&[u8]; 4] = [b"\0", b"\xff", "\u{202e}\"><i id=evil>'&lt;".as_bytes(), &[b'x'; 9000]];

/// `good` with each of its values, and each part of its credentials, changed in each of these ways.
pub fn one_by_one(good: &Sent) -> Vec<Sent> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Sent)| {
        let mut sent = good.clone();
        change(&mut sent);
        all.push(sent);
    };
    for at in 0..good.all().count() {
        with(&|sent| drop(sent.parameters().remove(at)));
        with(&|sent| sent.parameters()[at].1.clear());
        with(&|sent| {
            let twice = sent.parameters()[at].clone();
            sent.parameters().push(twice);
        });
        for tail in TAILS {
            with(&|sent| sent.parameters()[at].1.extend_from_slice(tail));
            with(&|sent| sent.parameters()[at].0.extend_from_slice(tail));
        }
    }
    let authorization = good.headers.iter().find(|(name, _)| *name == header::AUTHORIZATION);
    for tail in TAILS.iter().filter(|_| authorization.is_some_and(|(_, value)| value.starts_with(b"Basic ")))
    {
        let basic =
            |id: &[u8], secret: &[u8]| format!("Basic {}", STANDARD.encode([id, b":", secret].concat()));
        let coded: String = url::form_urlencoded::byte_serialize(tail).collect();
        with(&|sent| sent.set_header(header::AUTHORIZATION, basic(&[b"web", *tail].concat(), b"secret")));
        with(&|sent| sent.set_header(header::AUTHORIZATION, basic(b"web", tail)));
        with(&|sent| {
            sent.set_header(header::AUTHORIZATION, basic(format!("web{coded}").as_bytes(), b"secret"))
        });
    }
    all
}

impl World<'_> {
    /// Makes one thing of a request another.
    pub async fn change(&self, sent: &mut Sent, dice: &mut Dice) {
        match dice.below(20) {
            0 => sent.method = Method::from_bytes(dice.pick(&METHODS).as_bytes()).unwrap(),
            1 => sent.set_header(header::CONTENT_TYPE, dice.pick(&CONTENT_TYPES)),
            2 => {
                let more = self.credentials(dice).await;
                sent.headers.push((header::AUTHORIZATION, more.into_bytes()));
            }
            3 => {
                let other = self.credentials(dice).await;
                sent.set_header(header::AUTHORIZATION, other);
            }
            4 => self.change_surroundings(sent, dice).await,
            5 => move_parameters(sent, dice),
            6 => {
                let parameters = sent.parameters();
                if !parameters.is_empty() {
                    parameters.remove(dice.below(parameters.len()));
                }
            }
            7 => {
                let parameters = sent.parameters();
                if !parameters.is_empty() {
                    let twice = parameters[dice.below(parameters.len())].clone();
                    parameters.push(twice);
                }
            }
            8 => {
                let name = dice.pick(&NAMES).as_bytes().to_vec();
                let value = self.value(dice).await;
                let at = dice.below(sent.parameters().len() + 1);
                sent.parameters().insert(at, (name, value));
            }
            9 => sent.raw = !sent.raw,
            _ => {
                let value = self.value(dice).await;
                let parameters = sent.parameters();
                if !parameters.is_empty() {
                    let at = dice.below(parameters.len());
                    parameters[at].1 = if parameters[at].0 == b"claims" { claims(dice) } else { value };
                }
            }
        }
    }

    async fn value(&self, dice: &mut Dice) -> Vec<u8> {
        match dice.below(14) {
            0 => Vec::new(),
            1 => dice.pick(&WORDS).as_bytes().to_vec(),
            2 | 3 => dice.pick(&PLACES).as_bytes().to_vec(),
            4 => dice.pick(&NUMBERS).as_bytes().to_vec(),
            5 => dice.pick(&TEXTS).as_bytes().to_vec(),
            6 => dice.pick(&BYTES).to_vec(),
            10 => [b"web".as_slice(), dice.pick(&BYTES)].concat(),
            7 => claims(dice),
            8 => jwt(dice).into_bytes(),
            9 => {
                let length = dice.pick(&[9, 256, 1000, 8193, 20_000, 70_000]);
                b"long ".iter().copied().cycle().take(length).collect()
            }
            _ => {
                let kind = dice.pick(&KINDS);
                self.some(kind, dice).await.into_bytes()
            }
        }
    }

    /// For the `Authorization` header.
    async fn credentials(&self, dice: &mut Dice) -> String {
        let value = String::from_utf8_lossy(&self.value(dice).await).into_owned();
        match dice.below(8) {
            0 => basic("other", crate::fixture::SECRET),
            1 => basic("web", &value),
            2 => basic(&value, crate::fixture::SECRET),
            3 => format!("Basic {}", STANDARD.encode(dice.bytes(12))),
            4 => format!("Basic {value}"),
            5 => format!("DPoP {value}"),
            6 => value,
            _ => format!("Bearer {value}"),
        }
    }

    /// Cookies, where it comes from, where it goes, and what else may be in a head.
    async fn change_surroundings(&self, sent: &mut Sent, dice: &mut Dice) {
        let value = self.value(dice).await;
        match dice.below(8) {
            0 => sent.headers.retain(|(name, _)| name != header::COOKIE),
            1 => {
                let cookie = [b"latchkey_idp_session=".as_slice(), &value].concat();
                sent.headers.push((header::COOKIE, cookie));
            }
            2 => {
                let cookie = [b"latchkey_idp_browser=".as_slice(), &value].concat();
                sent.set_header(header::COOKIE, cookie);
            }
            3 => sent.set_header(header::ORIGIN, dice.pick(&["null", "https://evil.example", ""])),
            4 => sent.set_header(header::HOST, "evil.example"),
            5 => sent.set_header(header::CONTENT_ENCODING, "gzip"),
            6 => {
                let names = [
                    "x-forwarded-for",
                    "x-forwarded-host",
                    "x-http-method-override",
                    "if-none-match",
                    "range",
                    "x-request-id",
                ];
                sent.headers.push((header::HeaderName::from_static(dice.pick(&names)), value));
            }
            _ => sent.path.push_str(dice.pick(&[
                "/",
                "/..",
                "%00",
                "/%2e%2e/%2f",
                "//evil.example",
                "/\u{e9}",
                ";x=1",
                ".json",
            ])),
        }
    }
}

/// From the form to the query, or the other way round.
fn move_parameters(sent: &mut Sent, dice: &mut Dice) {
    match sent.form.take() {
        Some(form) => {
            sent.query.extend(form);
            if dice.below(2) == 0 {
                sent.form = Some(Vec::new());
            }
        }
        None => {
            sent.form = Some(std::mem::take(&mut sent.query));
            sent.set_header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
    }
}

/// JSON that is nearly what `claims` should be.
fn claims(dice: &mut Dice) -> Vec<u8> {
    if dice.below(6) == 0 {
        return "[".repeat(dice.pick(&[3, 200, 8000])).into_bytes();
    }
    let member = dice.pick(&["userinfo", "id_token", "else", ""]);
    let claim = dice.pick(&["name", "email", "sub", "acr", "auth_time", "\0", "name#de"]);
    json!({ member: { claim: value(dice, 0) }, "id_token": value(dice, 2) }).to_string().into_bytes()
}

fn value(dice: &mut Dice, depth: usize) -> Value {
    let text = (dice.pick(&TEXTS)).to_owned();
    match dice.below(if depth > 3 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(dice.next() as i64),
        3 => json!(1e308),
        4 => json!(text),
        5 => json!([value(dice, depth + 1), value(dice, depth + 1)]),
        6 => json!({ "essential": value(dice, depth + 1), "values": value(dice, depth + 1) }),
        _ => json!({ "essential": true, "value": value(dice, depth + 1), text: null }),
    }
}

/// Something with two dots. Nobody has signed it.
fn jwt(dice: &mut Dice) -> String {
    let header = json!({
        "alg": dice.pick(&["none", "RS256", "HS256", "ES256", "", "\0"]),
        "typ": dice.pick(&["JWT", "at+jwt", "logout+jwt"]),
        "kid": value(dice, 3),
        "jku": "https://evil.example/jwks",
        "crit": value(dice, 3),
    });
    let mut claims =
        json!({ "iss": "web", "sub": "web", "aud": value(dice, 2), "exp": 4_000_000_000_u64, "jti": "x" });
    claims[dice.pick(&["iss", "sub", "exp", "iat", "nbf", "jti"])] = match dice.below(3) {
        0 => json!("we\0b"),
        _ => value(dice, 2),
    };
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = dice.pick(&["", "AAAA", "!", "A.A"]);
    format!("{}.{}.{signature}", part(header), part(claims))
}
