//! An account for somebody who has come from another provider. It has no password: they log in by that provider.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    pages::{Page, Protected},
    place::Place,
};
use serde::Deserialize;

use super::{
    arrival::{Arrival, Parameters},
    problem::Problem,
};
use crate::{
    App,
    account::{factors::Method, gate, name, throttle},
    audit::Event,
    config::EmailVerification,
    email::Email,
    error::PageError,
    refusals,
    store::{upstream_identities, users},
};

#[derive(Deserialize)]
pub struct Form {
    arrival: String,
    name: String,
    /// Asked for when the provider has not proved one.
    #[serde(default)]
    email: String,
}

#[derive(Template)]
#[template(path = "upstream_sign_up.html")]
struct SignUp<'a> {
    place: &'a Place,
    page: &'a Page,
    arrival: &'a Arrival<'a>,
    /// It cannot be another then.
    proved_email: Option<Email>,
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
}

impl Problems {
    fn any(&self) -> bool {
        self.whole.is_some() || self.name.is_some() || self.email.is_some()
    }
}

/// `GET /signup/upstream?arrival=<handle>`
pub async fn get(
    State(app): State<App>,
    page: Page,
    Query(Parameters { arrival }): Query<Parameters>,
) -> Result<Response, PageError> {
    let arrival = Arrival::find(&app, &arrival, &page).await?;
    if !arrival.provider.allows_sign_up(&app) {
        return Ok(arrival.refuse(&app, &Problem::NoAccount));
    }
    let (name, email) = (&arrival.row.name, arrival.row.email.as_deref().unwrap_or_default());
    Ok(show(&app, &page, &arrival, StatusCode::OK, (name, email), Problems::default()))
}

/// `POST /signup/upstream`
pub async fn post(
    State(app): State<App>,
    page: Page,
    headers: HeaderMap,
    Protected(form): Protected<Form>,
) -> Result<Response, PageError> {
    let arrival = Arrival::find(&app, &form.arrival, &page).await?;
    if !arrival.provider.allows_sign_up(&app) {
        return Ok(arrival.refuse(&app, &Problem::NoAccount));
    }
    let refuse = |status, problems| show(&app, &page, &arrival, status, (&form.name, &form.email), problems);
    let (name, proved) = (form.name.trim(), arrival.proved_email());
    let email = proved.clone().or_else(|| Email::parse(&form.email));
    let problems = Problems {
        name: name::refuse(name),
        email: match &email {
            Some(_) => None,
            None if form.email.trim().is_empty() => Some("Enter your e-mail address."),
            None => Some("Enter an e-mail address, like name@example.com."),
        },
        ..Problems::default()
    };
    let Some(email) = email.filter(|_| !problems.any()) else {
        return Ok(refuse(StatusCode::UNPROCESSABLE_ENTITY, problems));
    };
    if let Err(wait) = throttle::sign_up(&app).await? {
        tracing::info!(rule = "throttle", "refused a sign-up: too many from one network");
        refusals::refused("sign-up", "throttle");
        let whole =
            Some(format!("Too many accounts were made from your network. Wait {wait}, then try again."));
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, Problems { whole, ..Problems::default() });
        response.headers_mut().insert(header::RETRY_AFTER, wait.retry_after());
        return Ok(response);
    }

    if proved.is_none() && app.config.email_verification == EmailVerification::Required {
        // An account is made when its address is confirmed: what a provider does not confirm makes none.
        return Ok(arrival.refuse(&app, &Problem::Unconfirmed));
    }
    let mut tx = app.db.write().await?;
    arrival.spend(&app, &mut tx, &page).await?;
    let new = users::NewUser {
        email: &email.typed,
        email_normalized: &email.normalized,
        name,
        password_hash: None,
    };
    let now = app.clock.now();
    let Some(id) = users::insert(&mut tx, new, now).await? else {
        tracing::info!(rule = "address taken", "refused a sign-up");
        refusals::refused("sign-up", "address taken");
        if proved.is_some() {
            return Ok(Redirect::to(&arrival.at("/login/upstream")).into_response());
        }
        let email = Some("This address cannot be used.");
        return Ok(refuse(StatusCode::UNPROCESSABLE_ENTITY, Problems { email, ..Problems::default() }));
    };
    if !upstream_identities::insert(&mut tx, id, &arrival.identity(&app)).await? {
        return Ok(arrival.refuse(&app, &Problem::Taken));
    }
    if proved.is_some() {
        users::confirm_email(&mut tx, id, now).await?;
    }
    let linked = Event::UpstreamLinked { upstream: arrival.row.upstream.clone() };
    let comes = gate::Arrival {
        user: id,
        method: Method::Upstream,
        auth_time: None,
        by: vec![Event::SignedUp, linked],
    };
    let entered = gate::arrived(&app, tx, comes, &arrival.journey, &headers, &page).await?;
    entered.ok_or(PageError::Gone)
}

fn show(
    app: &App,
    page: &Page,
    arrival: &Arrival,
    status: StatusCode,
    (name, email): (&str, &str),
    problems: Problems,
) -> Response {
    let proved_email = arrival.proved_email();
    let form = SignUp { place: &app.place, page, arrival, proved_email, name, email, problems };
    arrival.journey.page(status, &form)
}
