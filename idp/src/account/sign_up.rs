//! Making an account.

use askama::Template;
use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
    secret::{ExposeSecret, SecretString},
};
use serde::{Deserialize, Serialize};

use super::{
    factors::Method,
    gate,
    journey::{Carried, Journey},
    session, throttle,
};
use crate::{
    App, audit,
    audit::Event,
    email::Email,
    error::PageError,
    password::{self, Busy, Password},
    store::users,
};

const MAX_NAME: usize = 100;

#[derive(Deserialize)]
pub struct Form {
    #[serde(flatten)]
    carried: Carried,
    name: String,
    email: String,
    password: SecretString,
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUp<'a> {
    place: &'a Place,
    page: &'a Page,
    journey: &'a Journey,
    name: &'a str,
    email: &'a str,
    problems: Problems,
}

/// What is wrong, beside the field that it is wrong with.
#[derive(Default)]
struct Problems {
    whole: Option<String>,
    name: Option<&'static str>,
    email: Option<&'static str>,
    /// The address cannot be used because somebody has it.
    taken: bool,
    password: Option<String>,
    /// Of the password that was refused.
    strength: Option<Strength>,
}

impl Problems {
    fn any(&self) -> bool {
        self.whole.is_some() || self.fields() > 0
    }

    /// How many fields are wrong.
    fn fields(&self) -> usize {
        usize::from(self.name.is_some())
            + usize::from(self.email.is_some())
            + usize::from(self.password.is_some())
    }
}

/// How hard a password is to guess.
#[derive(Serialize)]
pub struct Strength {
    /// 0 to 4.
    score: u8,
    label: &'static str,
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

/// `GET /signup[?request=<handle>|?user_code=<code>]`
pub async fn get(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    open(&app)?;
    let journey = Journey::find(&app, &carried, &page).await?;
    let session = session::current(&app, &headers).await?;
    if session.is_some_and(|session| journey.is_over(&app, &session)) {
        return Ok(Redirect::to(&journey.destination()).into_response());
    }
    let email = journey.login_hint().unwrap_or_default().to_owned();
    let form = Form { carried, name: String::new(), email, password: "".into() };
    Ok(show(&app, &page, &journey, StatusCode::OK, &form, Problems::default()))
}

/// `POST /signup`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    open(&app)?;
    let journey = Journey::find(&app, &form.carried, &page).await?;
    let refuse = |status, problems| Ok(show(&app, &page, &journey, status, &form, problems));

    let (name, email, password) = match check(&app, &form).await? {
        Ok(fine) => fine,
        Err(problems) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, problems),
    };
    if let Err(wait) = throttle::sign_up(&app).await? {
        tracing::info!(rule = "throttle", "refused a sign-up: too many from one network");
        let whole =
            Some(format!("Too many accounts were made from your network. Wait {wait}, then try again."));
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, Problems { whole, ..Problems::default() });
        if let Ok(response) = &mut response {
            response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
        }
        return response;
    }

    let password_hash = app.passwords.hash(password).await?;
    let new = users::NewUser {
        email: &email.typed,
        email_normalized: &email.normalized,
        name,
        password_hash: Some(&password_hash),
    };
    let mut tx = app.db.write().await?;
    let Some(id) = users::insert(&mut tx, new, app.clock.now()).await? else {
        tracing::info!(rule = "address taken", "refused a sign-up");
        let email = Some("This address cannot be used.");
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            Problems { email, taken: true, ..Problems::default() },
        );
    };
    audit::record(&app, &mut tx, Some(id), Event::SignedUp).await?;
    let entered = gate::passed(&app, tx, id, Method::Password, &journey, &headers, &page).await?;
    entered.ok_or(PageError::Gone)
}

/// `POST /signup/strength`: what the page's script shows while a password is typed.
pub async fn strength(
    State(app): State<App>,
    Protected(form): Protected<Form>,
) -> Result<Json<Strength>, PageError> {
    open(&app)?;
    let Form { name, email, password, .. } = form;
    Ok(Json(password::judge(move || Strength::of(&password, &[&name, &email])).await?))
}

fn open(app: &App) -> Result<(), PageError> {
    if app.config.sign_up { Ok(()) } else { Err(PageError::SignUpClosed) }
}

/// The form's values, fit to make an account of; or all that is wrong with them.
async fn check<'a>(app: &App, form: &'a Form) -> Result<Result<(&'a str, Email, Password), Problems>, Busy> {
    let name = form.name.trim();
    let email = Email::parse(&form.email);
    let (password, strength) = if form.password.expose_secret().is_empty() {
        (Err("Choose a password.".to_owned()), None)
    } else {
        choose(app, form).await?
    };
    let problems = Problems {
        name: match name.chars().count() {
            0 => Some("Enter your name."),
            1..=MAX_NAME if name.chars().any(char::is_control) => {
                Some("The name holds a character that cannot be shown.")
            }
            1..=MAX_NAME => None,
            _ => Some("Use at most 100 characters."),
        },
        email: match &email {
            _ if form.email.trim().is_empty() => Some("Enter your e-mail address."),
            None => Some("Enter an e-mail address, like name@example.com."),
            Some(_) => None,
        },
        password: password.as_ref().err().cloned(),
        strength,
        ..Problems::default()
    };
    Ok(match (email, password) {
        (Some(email), Ok(password)) if !problems.any() => Ok((name, email, password)),
        _ => Err(problems),
    })
}

/// The password, or why it is none, and how weak it is.
async fn choose(app: &App, form: &Form) -> Result<(Result<Password, String>, Option<Strength>), Busy> {
    let (name, email, typed) = (form.name.clone(), form.email.clone(), form.password.clone());
    let min_score = app.config.passwords.min_score;
    password::judge(move || {
        let hints = [name.as_str(), email.as_str()];
        match Password::chosen(&typed, &hints, min_score) {
            Ok(password) => (Ok(password), None),
            Err(weakness) => (Err(weakness.to_string()), Some(Strength::of(&typed, &hints))),
        }
    })
    .await
}

fn show(
    app: &App,
    page: &Page,
    journey: &Journey,
    status: StatusCode,
    form: &Form,
    problems: Problems,
) -> Response {
    let Form { name, email, .. } = form;
    journey.page(status, &SignUp { place: &app.place, page, journey, name, email, problems })
}
