//! Choosing a password: whether one will do, and how hard it is to guess, told while it is typed.

use axum::{Json, extract::State, http::HeaderMap};
use platform::{
    pages::Protected,
    secret::{ExposeSecret, SecretString},
};
use serde::{Deserialize, Serialize};

use super::session;
use crate::{
    App,
    error::PageError,
    password::{self, Busy, Password},
};

/// How hard a password is to guess.
#[derive(Serialize)]
pub struct Strength {
    /// 0 to 4.
    pub score: u8,
    pub label: &'static str,
}

impl Strength {
    fn of(typed: &SecretString, hints: &[&str]) -> Self {
        let score = password::score(typed, hints);
        let label = match score {
            0 => "Very weak",
            1 => "Weak",
            2 => "Fair",
            3 => "Strong",
            _ => "Very strong",
        };
        Self { score, label }
    }
}

/// The field of `new_password.html`.
pub struct NewPassword<'a> {
    pub label: &'static str,
    pub refused: Option<&'a Refused>,
    pub focus: bool,
}

impl NewPassword<'_> {
    /// Of the password that was refused.
    pub fn strength(&self) -> Option<&Strength> {
        self.refused.and_then(|refused| refused.strength.as_ref())
    }
}

/// Why a password will not do.
pub struct Refused {
    pub error: String,
    pub strength: Option<Strength>,
}

/// The password that somebody chose, unless it is missing, too weak, or known to everybody. `hints`: their name and
/// address, which make one guessable.
pub async fn choose(
    app: &App,
    typed: &SecretString,
    hints: [&str; 2],
) -> Result<Result<Password, Refused>, Busy> {
    if typed.expose_secret().is_empty() {
        return Ok(Err(Refused { error: "Choose a password.".to_owned(), strength: None }));
    }
    let (typed, hints, min_score) = (typed.clone(), hints.map(str::to_owned), app.config.passwords.min_score);
    password::judge(move || {
        let hints = hints.each_ref().map(String::as_str);
        Password::chosen(&typed, &hints, min_score).map_err(|weakness| Refused {
            error: weakness.to_string(),
            strength: Some(Strength::of(&typed, &hints)),
        })
    })
    .await
}

#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    password: SecretString,
}

/// `POST /password/strength`: what the pages' script shows while a password is typed.
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Form { name, email, password }): Protected<Form>,
) -> Result<Json<Strength>, PageError> {
    let known = session::current(&app, &headers).await?;
    let (known_name, known_email) = known.map(|known| (known.name, known.email)).unwrap_or_default();
    let judged =
        password::judge(move || Strength::of(&password, &[&name, &email, &known_name, &known_email]));
    Ok(Json(judged.await?))
}
