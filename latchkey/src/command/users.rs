//! `latchkey user add|list|disable|enable|delete|disconnect|set|set-password|reset-second-factors`.

use idp::admin::{Operator, users};
use platform::clock::Clock;

use super::{open, password, table};
use crate::{Failure, cli::UserAction, say};

/// How many accounts are read at a time.
const PAGE: i64 = 500;

pub(crate) async fn run(action: UserAction, config: &idp::Config) -> Result<(), Failure> {
    let operator = open(config).await?;
    let now = Clock::System.now();
    match action {
        UserAction::Add { email, name } => {
            let password = password::read()?;
            let id = users::add(&operator, &config.passwords, &email, &name, &password, now).await?;
            say(format_args!("{email} can log in now. The account's id (sub) is {id}."))
        }
        UserAction::List => list(&operator).await,
        UserAction::Disable { email } => {
            users::disable(&operator, &email, now).await?;
            say(format_args!("{email} is shut out: every session has ended, and no token is renewed."))
        }
        UserAction::Enable { email } => {
            users::enable(&operator, &email, now).await?;
            say(format_args!("{email} can log in again."))
        }
        UserAction::Delete { email, now: true } => {
            users::delete_now(&operator, &email, now).await?;
            say(format_args!("{email} is deleted, with everything that was theirs."))
        }
        UserAction::Delete { email, now: false } => {
            let delete_at = users::delete(&operator, config, &email, now).await?.format("%Y-%m-%d %H:%M UTC");
            say(format_args!("{email} is shut out, and will be deleted at {delete_at}."))
        }
        UserAction::Disconnect { email, client_id } => {
            users::disconnect(&operator, &email, &client_id, now).await?;
            say(format_args!("{client_id} can do nothing more for {email}, unless they allow it again."))
        }
        UserAction::Set { email, claim, value } => {
            users::set_claim(&operator, &email, &claim, value.as_deref(), now).await?;
            match value {
                Some(value) => say(format_args!("{claim} of {email} is {value:?} now.")),
                None => say(format_args!("{claim} of {email} is not known any more.")),
            }
        }
        UserAction::SetPassword { email } => {
            let password = password::read()?;
            users::set_password(&operator, &config.passwords, &email, &password, now).await?;
            say(format_args!("{email} has a new password, and has to log in again everywhere."))
        }
        UserAction::ResetSecondFactors { email } => {
            users::reset_second_factors(&operator, &email, now).await?;
            say(format_args!("{email} has no second factor any more, and has to log in again everywhere."))
        }
    }
}

async fn list(operator: &Operator) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = users::list(operator, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        rows.extend(page.into_iter().map(|user| {
            let state = match (user.delete_at, user.disabled_at) {
                (Some(delete_at), None) => format!("goes {}", delete_at.format("%Y-%m-%d")),
                (Some(delete_at), Some(_)) => format!("disabled, goes {}", delete_at.format("%Y-%m-%d")),
                (None, Some(_)) => "disabled".to_owned(),
                (None, None) => "active".to_owned(),
            };
            let since = user.created_at.format("%Y-%m-%d").to_string();
            [user.id.to_string(), user.email, user.name, since, state]
        }));
    }
    table(["ID", "EMAIL", "NAME", "SINCE", "STATE"], &rows)
}
