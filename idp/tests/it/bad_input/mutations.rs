//! What can be wrong with a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, header};

use super::{
    dice::Dice,
    request::Sent,
    values::{BYTES, CONTENT_TYPES, METHODS, NAMES, NUMBERS, PLACES, TAILS, TEXTS, WORDS, claims, jwt},
    world::{KINDS, World, basic},
};

pub type Change = Box<dyn Fn(&mut Sent)>;

/// Every parameter, and each part of the credentials, in each of these ways.
pub fn one_by_one(good: &Sent) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for at in 0..good.all().count() {
        all.push(Box::new(move |sent| drop(sent.parameters().remove(at))));
        all.push(Box::new(move |sent| sent.parameters()[at].1.clear()));
        all.push(Box::new(move |sent| {
            let twice = sent.parameters()[at].clone();
            sent.parameters().push(twice);
        }));
        for tail in TAILS {
            all.push(Box::new(move |sent| sent.parameters()[at].1.extend_from_slice(tail)));
            all.push(Box::new(move |sent| sent.parameters()[at].0.extend_from_slice(tail)));
        }
    }
    let authorization = good.headers.iter().find(|(name, _)| *name == header::AUTHORIZATION);
    for tail in TAILS.iter().filter(|_| authorization.is_some_and(|(_, value)| value.starts_with(b"Basic ")))
    {
        let coded: String = url::form_urlencoded::byte_serialize(tail).collect();
        for (id, secret) in [(*tail, b"".as_slice()), (b"", *tail), (coded.as_bytes(), b"")] {
            let basic = [b"web", id, b":", crate::fixture::SECRET.as_bytes(), secret].concat();
            let basic = format!("Basic {}", STANDARD.encode(basic));
            all.push(Box::new(move |sent| sent.set_header(header::AUTHORIZATION, basic.as_str())));
        }
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
                    "dpop",
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
