//! From what is owed to a mail with its two bodies.

use askama::Template;

use super::{letters::Writer, notices};
use crate::{
    App,
    email::Email,
    store::{
        self, Tx,
        outbox::{Letter, Owed},
        users,
    },
};

/// A mail as it leaves. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Mail {
    /// An address that mail servers understand.
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub words: Words,
}

/// What is said, before it becomes a mail.
#[derive(Clone, Default)]
pub struct Words {
    pub subject: String,
    pub before: Vec<String>,
    pub link: Option<Link>,
    pub code: Option<String>,
    pub after: Vec<String>,
}

#[derive(Clone)]
pub struct Link {
    pub label: &'static str,
    pub url: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    place: &'a str,
    issuer: &'a str,
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    place: &'a str,
    issuer: &'a str,
    words: &'a Words,
}

/// The mail that is owed, with a new link or code; `None` when it is for nobody, or no use any more.
pub async fn compose(app: &App, tx: &mut Tx, owed: &Owed) -> Result<Option<Mail>, store::Error> {
    let person = match owed.user_id {
        Some(id) => users::find(tx, id).await?,
        None => users::find_by_email(tx, &owed.email_normalized).await?,
    };
    // Who deletes their account cannot log in any more, and is told so.
    let told = matches!(owed.letter, Letter::Notice { .. });
    let person = person.filter(|person| told || person.disabled_at.is_none());
    let writer = Writer { app, place: &app.config.name, owed };
    let written = match (&owed.letter, person) {
        (Letter::SignUp(id), person) => writer.sign_up(tx, *id, person).await?,
        (_, None) => None,
        (Letter::Confirm, Some(person)) => writer.confirm(tx, person).await?,
        (Letter::Reset, Some(person)) => writer.reset(tx, person).await?,
        (Letter::Code(handle), Some(person)) => writer.code(tx, handle, person).await?,
        (Letter::ChangeEmail { to }, Some(person)) => writer.change(tx, to, &person).await?,
        (Letter::EmailChanged { from, to }, Some(person)) => writer.changed(tx, from, to, &person).await?,
        (Letter::Notice { event, address }, Some(person)) => {
            notices::words(app, owed, event, address).map(|words| (person.email, words))
        }
    };
    let Some((to, words)) = written else { return Ok(None) };
    // Was one when it was stored.
    let Some(to) = Email::parse(&to) else { return Ok(None) };
    let (place, issuer) = (app.config.name.as_str(), app.config.issuer.as_str());
    let render = |rendered: Result<String, askama::Error>| {
        rendered.map_err(|error| store::Error::Encode(error.into()))
    };
    Ok(Some(Mail {
        to: to.mailbox(),
        subject: words.subject.clone(),
        text: render(Text { place, issuer, words: &words }.render())?,
        html: render(Html { place, issuer, words: &words }.render())?,
        words,
    }))
}
