//! What stands between an authorization request and its code: a log-in, a second factor, consent (OpenID Connect Core
//! §3.1.2.3 and §3.1.2.4).

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    super::{pending::Pending, scope},
    acr::Demand,
    request::Request,
    response::AuthorizeError,
};
use crate::{
    App,
    account::{factors, session},
    store::{self, consents, sessions::Session},
};

/// What has to happen before a code can be given; with the error that `prompt=none` gets instead.
pub enum Step {
    LogIn(&'static str),
    SecondFactor(&'static str),
    Consent(&'static str),
    Issue,
}

/// `started`: when this request began to wait. A log-in after that is the one it asked for.
pub async fn next_step(
    app: &App,
    request: &Request,
    session: Option<&Session>,
    started: Option<DateTime<Utc>>,
) -> Result<Step, AuthorizeError> {
    const LOG_IN: Step = Step::LogIn("login_required");
    let Some(session) = session else { return Ok(LOG_IN) };
    if is_stale(app, request, session, started) {
        return Ok(LOG_IN);
    }
    if request.hinted_user.is_some_and(|hinted| hinted != session.user_id) {
        if is_fresh(session, started) {
            // They logged in, as somebody else than the client expects.
            return Err(request.target.refuse(
                app,
                "login_required",
                "another person than id_token_hint names",
            ));
        }
        return Ok(LOG_IN);
    }
    if lacks_factor(app, request, session).await? {
        return Ok(Step::SecondFactor("interaction_required"));
    }
    let client = &request.target.client;
    if request.prompt.consent {
        return Ok(Step::Consent("consent_required"));
    }
    if client.first_party {
        return Ok(Step::Issue);
    }
    let mut conn = app.db.read().await?;
    let remembered = consents::find_scope(&mut conn, session.user_id, &client.id).await?;
    let covered = remembered.is_some_and(|remembered| scope::covers(&remembered, &request.consent_scope));
    Ok(if covered { Step::Issue } else { Step::Consent("consent_required") })
}

/// Whether a second factor is asked for that was not proved in this session.
async fn lacks_factor(app: &App, request: &Request, session: &Session) -> Result<bool, store::Error> {
    if factors::is_two_factors(&session.amr) {
        return Ok(false);
    }
    match request.second_factor {
        Demand::No => Ok(false),
        Demand::OfEverybody => Ok(true),
        Demand::OfThoseWhoHaveOne => {
            let mut conn = app.db.read().await?;
            Ok(factors::enrolled(app, &mut conn, session.user_id).await?.has_second())
        }
    }
}

fn is_fresh(session: &Session, started: Option<DateTime<Utc>>) -> bool {
    started.is_some_and(|started| session.auth_time >= started)
}

/// Whether the request demands a newer log-in than this one.
fn is_stale(app: &App, request: &Request, session: &Session, started: Option<DateTime<Utc>>) -> bool {
    // `max_age=0` is `prompt=login`, however fast the browser is (Core §3.1.2.1).
    let too_old = |max_age: TimeDelta| max_age.is_zero() || session.auth_time + max_age < app.clock.now();
    // Who logged in a while ago proves both factors again (RFC 9470 §4), else the second one is enough.
    let too_little = request.second_factor == Demand::OfEverybody
        && !factors::is_two_factors(&session.amr)
        && !session::is_recent(app, session);
    !is_fresh(session, started)
        && (request.prompt.log_in_again() || too_little || request.max_age.is_some_and(too_old))
}

/// Whether nobody gets what the request asks for by one factor.
#[must_use]
pub fn demands_second(pending: &Pending) -> bool {
    pending.request.second_factor == Demand::OfEverybody
}

/// Whether whoever is logged in shall prove it once more, and not be somebody else.
#[must_use]
pub fn is_renewal(app: &App, pending: &Pending, session: &Session) -> bool {
    let request = &pending.request;
    let hint = request.parameters.get("login_hint");
    is_stale(app, request, session, Some(pending.created_at))
        && !(request.prompt.select_account || request.prompt.create)
        && request.hinted_user.is_none_or(|hinted| hinted == session.user_id)
        && hint.is_none_or(|hint| hint.trim().eq_ignore_ascii_case(&session.email))
}

/// How old a log-in may be that is good for this request, in seconds (Core §3.1.2.1). For other providers, which are
/// asked for the same.
#[must_use]
pub fn max_age(pending: &Pending) -> Option<i64> {
    let Request { prompt, max_age, .. } = &pending.request;
    if prompt.login { Some(0) } else { max_age.map(|max_age| max_age.num_seconds()) }
}
