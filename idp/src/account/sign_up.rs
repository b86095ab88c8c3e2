//! Making an account.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
    secret::SecretString,
};
use serde::Deserialize;

use super::{
    factors::Method,
    gate::{self, Arrival},
    journey::{Carried, Journey},
    mail_link::Message,
    name, session,
    strength::{self, NewPassword},
    throttle, upstream,
};
use crate::{
    App,
    audit::Event,
    config::EmailVerification,
    email::Email,
    error::PageError,
    password::{Busy, Password},
    refusals,
    store::{
        outbox::{self, Addressee, Letter},
        sign_ups, users,
    },
    upstream::Provider,
};

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
    upstreams: Vec<&'a Provider>,
    name: &'a str,
    email: &'a str,
    problems: &'a Problems,
    new_password: NewPassword<'a>,
}

/// What is wrong, beside the field that it is wrong with.
#[derive(Default)]
struct Problems {
    whole: Option<String>,
    name: Option<&'static str>,
    email: Option<&'static str>,
    /// The address cannot be used because somebody has it.
    taken: bool,
    password: Option<strength::Refused>,
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
        refusals::refused("sign-up", "throttle");
        let whole =
            Some(format!("Too many accounts were made from your network. Wait {wait}, then try again."));
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, Problems { whole, ..Problems::default() });
        if let Ok(response) = &mut response {
            response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
        }
        return response;
    }

    let password_hash = app.passwords.hash(password).await?;
    if app.config.email_verification == EmailVerification::Required {
        return promise(&app, &journey, name, email, password_hash).await;
    }
    let new = users::NewUser {
        email: &email.typed,
        email_normalized: &email.normalized,
        name,
        password_hash: Some(&password_hash),
    };
    let mut tx = app.db.write().await?;
    let Some(id) = users::insert(&mut tx, new, app.clock.now()).await? else {
        tracing::info!(rule = "address taken", "refused a sign-up");
        refusals::refused("sign-up", "address taken");
        let email = Some("This address cannot be used.");
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            Problems { email, taken: true, ..Problems::default() },
        );
    };
    if app.config.email_verification == EmailVerification::Optional {
        outbox::insert(&mut tx, Addressee::User(id), &Letter::Confirm, app.clock.now()).await?;
    }
    let arrival = Arrival { user: id, method: Method::Password, auth_time: None, by: vec![Event::SignedUp] };
    let entered = gate::arrived(&app, tx, arrival, &journey, &headers, &page).await?;
    entered.ok_or(PageError::Gone)
}

/// The account is made once the address is confirmed. Whether somebody has it already is found out when the mail is
/// written, and told to them.
async fn promise(
    app: &App,
    journey: &Journey,
    name: &str,
    email: Email,
    password_hash: String,
) -> Result<Response, PageError> {
    let now = app.clock.now();
    let Email { typed: email, normalized: email_normalized } = email;
    let sign_up = sign_ups::SignUp { email, email_normalized, name: name.to_owned(), password_hash };
    let mut tx = app.db.write().await?;
    let id = sign_ups::insert(&mut tx, &sign_up, now).await?;
    let to = Addressee::Holder(&sign_up.email_normalized);
    outbox::insert(&mut tx, to, &Letter::SignUp(id), now).await?;
    tx.commit().await?;
    app.mail_owed.notify_one();
    Ok(Redirect::to(&journey.by("/signup/sent")).into_response())
}

/// `GET /signup/sent`
pub async fn sent(
    State(app): State<App>,
    page: Page,
    Query(carried): Query<Carried>,
) -> Result<Response, PageError> {
    let journey = Journey::find(&app, &carried, &page).await?;
    let message = Message {
        place: &app.place,
        title: "Check your mail",
        text: "We have sent a mail to the address that you gave. Use the link in it within 24 hours, and your account is made. Look among the spam, too.",
        next: Some((journey.by("/login"), "Then log in")),
    };
    Ok(message.page())
}

fn open(app: &App) -> Result<(), PageError> {
    if app.config.sign_up { Ok(()) } else { Err(PageError::SignUpClosed) }
}

/// The form's values, fit to make an account of; or all that is wrong with them.
async fn check<'a>(app: &App, form: &'a Form) -> Result<Result<(&'a str, Email, Password), Problems>, Busy> {
    let name = form.name.trim();
    let email = Email::parse(&form.email);
    let (password, refused) = match strength::choose(app, &form.password, [&form.name, &form.email]).await? {
        Ok(password) => (Some(password), None),
        Err(refused) => (None, Some(refused)),
    };
    let problems = Problems {
        name: name::refuse(name),
        email: match &email {
            _ if form.email.trim().is_empty() => Some("Enter your e-mail address."),
            None => Some("Enter an e-mail address, like name@example.com."),
            Some(_) => None,
        },
        password: refused,
        ..Problems::default()
    };
    Ok(match (email, password) {
        (Some(email), Some(password)) if !problems.any() => Ok((name, email, password)),
        _ => Err(problems),
    })
}

fn show(
    app: &App,
    page: &Page,
    journey: &Journey,
    status: StatusCode,
    form: &Form,
    problems: Problems,
) -> Response {
    let (Form { name, email, .. }, problems) = (form, &problems);
    let focus = problems.any() && problems.name.is_none() && problems.email.is_none();
    let new_password = NewPassword { label: "Password", refused: problems.password.as_ref(), focus };
    let (place, mut upstreams) = (&app.place, upstream::offered(app, journey));
    upstreams.retain(|provider| provider.allows_sign_up(app));
    journey.page(status, &SignUp { place, page, journey, upstreams, name, email, problems, new_password })
}
