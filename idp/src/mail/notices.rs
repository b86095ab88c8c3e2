//! Mails about what happened to an account: whoever did it, its owner reads of it.

use platform::http::current;
use serde::Deserialize;

use super::compose::{Link, Words};
use crate::{
    App, Config,
    account::home::full,
    audit::{Event, Factor},
    store::{
        Error, Tx, UserId,
        outbox::{self, Addressee, Letter, Owed},
        users,
    },
};

/// Owes a person a mail about what happened to their account, if it is worth one.
pub async fn owe(app: &App, tx: &mut Tx, user: Option<UserId>, event: &Event) -> Result<(), Error> {
    let Some(user) = user.filter(|_| what(event).is_some()) else { return Ok(()) };
    // Nobody has shown that it is theirs: who makes accounts could have us write to whom they like.
    if !users::find(tx, user).await?.is_some_and(|person| person.email_verified) {
        return Ok(());
    }
    let event = serde_json::to_value(event).map_err(|error| Error::Encode(error.into()))?;
    let letter = Letter::Notice { event, address: current().client.to_string() };
    outbox::insert(tx, Addressee::User(user), &letter, app.clock.now()).await
}

/// What happened, as the subject of a mail and in sentences; `None` for what nobody is mailed about. Names that
/// somebody has chosen are not repeated: whoever has got into an account could have us write with them.
fn what(event: &Event) -> Option<(&'static str, String)> {
    let (subject, sentence) = match event {
        Event::LoggedIn { new_browser: true, .. } => (
            "A log-in from a new browser",
            "Somebody has logged in to your account in a browser that had not been used for it before.",
        ),
        Event::PasswordChanged => ("Your password was changed", "The password of your account was changed."),
        Event::PasswordReset => (
            "Your password was changed",
            "A new password was chosen for your account, by a link that had been mailed to you. Everybody was logged out.",
        ),
        Event::PasskeyAdded { .. } => {
            ("A passkey was added", "A passkey was added to your account: who has it can log in with it.")
        }
        Event::PasskeyRemoved { .. } => ("A passkey was removed", "A passkey of your account was removed."),
        Event::PasskeyCloned { .. } => (
            "A passkey was refused",
            "A passkey of your account seems to have been copied, and was refused. Remove it if you cannot tell why.",
        ),
        Event::FactorAdded { factor: Factor::Totp } => (
            "Two-step log-in was turned on",
            "From now on your account asks for a code of an authenticator app when somebody logs in.",
        ),
        Event::FactorRemoved { factor: Factor::Totp } => (
            "Two-step log-in was turned off",
            "Your account no longer asks for a code of an authenticator app.",
        ),
        Event::RecoveryCodesMade => (
            "New recovery codes were made",
            "There are new recovery codes for your account; those that you had before are no longer good.",
        ),
        Event::RecoveryCodeUsed => (
            "A recovery code was used",
            "Somebody has logged in to your account with one of its recovery codes.",
        ),
        Event::UpstreamLinked { upstream } => {
            return Some((
                "A log-in was linked",
                format!("From now on one can log in to your account by way of {upstream}."),
            ));
        }
        Event::UpstreamUnlinked { upstream } => {
            return Some((
                "A log-in was unlinked",
                format!("One can no longer log in to your account by way of {upstream}."),
            ));
        }
        Event::DeletionRequested { delete_at } => {
            let sentences = format!(
                "Your account will be deleted on {}, and cannot be had back then. Until then you can log in and keep it.",
                full(delete_at)
            );
            return Some(("Your account will be deleted", sentences));
        }
        Event::AccountKept => ("Your account stays", "Your account will not be deleted after all."),
        // Of a change of address the old one is told, by the mail that can take it back; and what an address that is proved
        // or taken back ends goes with a new password, or with the person who is reading.
        _ => return None,
    };
    Some((subject, sentence.to_owned()))
}

/// The mail about an event that was owed one.
pub fn words(app: &App, owed: &Owed, event: &serde_json::Value, address: &str) -> Option<Words> {
    let event = Event::deserialize(event).ok()?;
    let (subject, sentence) = what(&event)?;
    let Config { issuer, name: place, .. } = &app.config;
    Some(Words {
        subject: format!("{subject}: {place}"),
        before: vec![
            sentence,
            format!("When: {}. From the network address {address}.", full(&owed.created_at)),
        ],
        link: Some(Link { label: "Look at your account", url: format!("{issuer}/account/security") }),
        after: vec![format!(
            "If it was you, there is nothing to do. If it was not, choose a new password now; everybody else is logged out then: {issuer}/forgot"
        )],
        ..Words::default()
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn whatever_changes_who_gets_in_is_told_without_names_that_somebody_chose() {
        let name = || "Evil <a href".to_owned();
        let told = [
            Event::PasswordChanged,
            Event::PasswordReset,
            Event::PasskeyAdded { name: name() },
            Event::PasskeyRemoved { name: name() },
            Event::PasskeyCloned { name: name() },
            Event::FactorAdded { factor: Factor::Totp },
            Event::FactorRemoved { factor: Factor::Totp },
            Event::RecoveryCodesMade,
            Event::RecoveryCodeUsed,
            Event::UpstreamLinked { upstream: "corp".to_owned() },
            Event::UpstreamUnlinked { upstream: "corp".to_owned() },
            Event::DeletionRequested { delete_at: DateTime::UNIX_EPOCH },
            Event::AccountKept,
        ];
        for event in told {
            let (subject, sentence) = what(&event).unwrap();
            assert!(!subject.contains("Evil") && !sentence.contains("Evil"), "{event:?}");
        }
        for event in [Event::SignedUp, Event::EmailVerified, Event::EmailChanged] {
            assert!(what(&event).is_none(), "{event:?}");
        }
    }
}
