//! What each mail says. The names that people give themselves are in none: nobody has us send their words to
//! strangers. Links lead to the configured issuer only.

use platform::secret::{self, ExposeSecret, SecretHash};

use super::compose::{Link, Words};
use crate::{
    App,
    account::mailed_code::Code,
    email::Email,
    store::{
        self, SignUpId, Tx, mail_links,
        mail_links::{MailLink, Purpose},
        mailed_codes,
        outbox::Owed,
        sign_ups, users,
        users::User,
    },
};

/// The prefix of what a link holds.
pub const PREFIX: &str = "lkm_";

/// To whom, and what.
pub type Written = (String, Words);

pub struct Writer<'a> {
    pub app: &'a App,
    pub place: &'a str,
    pub owed: &'a Owed,
}

impl Writer<'_> {
    pub async fn sign_up(
        &self,
        tx: &mut Tx,
        id: SignUpId,
        person: Option<User>,
    ) -> Result<Option<Written>, store::Error> {
        if let Some(person) = person {
            sign_ups::delete(tx, id).await?;
            return Ok(Some((person.email, self.tried())));
        }
        let token = secret::generate(PREFIX);
        let hash = SecretHash::of(token.expose_secret());
        let email = sign_ups::set_token(tx, id, &hash, self.app.clock.now()).await?;
        Ok(email.map(|email| {
            let words = Words {
                subject: format!("Confirm your e-mail address for {}", self.place),
                before: vec![format!(
                    "Somebody, hopefully you, wants to make an account at {} with this e-mail address. Confirm that the address is yours, and the account is made.",
                    self.place
                )],
                link: Some(self.link("Make my account", "/signup/confirm", token.expose_secret())),
                after: vec![
                    "The link is good once, for 24 hours.".to_owned(),
                    "If it was not you, do not use it: without it there will be no account.".to_owned(),
                ],
                ..Words::default()
            };
            (email, words)
        }))
    }

    pub async fn confirm(&self, tx: &mut Tx, person: User) -> Result<Option<Written>, store::Error> {
        if person.email_verified {
            return Ok(None);
        }
        let link = self.new_link(tx, Purpose::Confirm, &person, &person.email).await?;
        Ok(link.map(|token| {
            let words = Words {
                subject: format!("Confirm your e-mail address for {}", self.place),
                before: vec![format!(
                    "There is an account at {} with this e-mail address. Confirm that the address is yours.",
                    self.place
                )],
                link: Some(self.link("Confirm my address", "/email/confirm", &token)),
                after: vec![
                    "The link is good once, for 24 hours.".to_owned(),
                    "If you have made no account, do not use it: somebody has given your address as theirs."
                        .to_owned(),
                ],
                ..Words::default()
            };
            (person.email, words)
        }))
    }

    pub async fn reset(&self, tx: &mut Tx, person: User) -> Result<Option<Written>, store::Error> {
        let link = self.new_link(tx, Purpose::Reset, &person, &person.email).await?;
        Ok(link.map(|token| {
            let words = Words {
                subject: format!("Choose a new password for {}", self.place),
                before: vec![format!(
                    "Somebody, hopefully you, wants to choose a new password for your account at {}.",
                    self.place
                )],
                link: Some(self.link("Choose a new password", "/reset", &token)),
                after: vec![
                    "The link is good once, for one hour. When you use it, you are logged out everywhere."
                        .to_owned(),
                    "If it was not you, there is nothing to do: nobody else has this link.".to_owned(),
                ],
                ..Words::default()
            };
            (person.email, words)
        }))
    }

    pub async fn code(
        &self,
        tx: &mut Tx,
        handle: &str,
        person: User,
    ) -> Result<Option<Written>, store::Error> {
        let Some(handle) = SecretHash::from_base64url(handle) else { return Ok(None) };
        let code = Code::generate();
        let hash = code.hash(self.app, &handle);
        if !mailed_codes::set_code(tx, &handle, person.id, &hash, self.app.clock.now()).await? {
            return Ok(None);
        }
        let words = Words {
            subject: format!("Your code for {}", self.place),
            before: vec![format!("Enter this code to log in at {}, where you asked for it:", self.place)],
            code: Some(code.to_string()),
            after: vec![
                "It is good once, for 10 minutes, in the browser that you asked in.".to_owned(),
                "Nobody else needs it, whoever they say they are. If you have not asked for it, there is nothing to do.".to_owned(),
            ],
            ..Words::default()
        };
        Ok(Some((person.email, words)))
    }

    /// To the new address.
    pub async fn change(
        &self,
        tx: &mut Tx,
        to: &str,
        person: &User,
    ) -> Result<Option<Written>, store::Error> {
        let Some(email) = Email::parse(to) else { return Ok(None) };
        match users::find_by_email(tx, &email.normalized).await? {
            Some(other) if other.id != person.id => return Ok(Some((other.email, self.tried()))),
            Some(_) | None => {}
        }
        let link = self.new_link(tx, Purpose::Change, person, to).await?;
        Ok(link.map(|token| {
            let words = Words {
                subject: format!("Confirm your new e-mail address for {}", self.place),
                before: vec![format!(
                    "Somebody, hopefully you, wants to use this e-mail address for an account at {} that has another one now.",
                    self.place
                )],
                link: Some(self.link("Use this address", "/account/email/confirm", &token)),
                after: vec![
                    "The link is good once, for 24 hours, where you are logged in to that account.".to_owned(),
                    "If it was not you, there is nothing to do: nothing changes.".to_owned(),
                ],
                ..Words::default()
            };
            (to.to_owned(), words)
        }))
    }

    /// To the old address.
    pub async fn changed(
        &self,
        tx: &mut Tx,
        from: &str,
        to: &str,
        person: &User,
    ) -> Result<Option<Written>, store::Error> {
        let link = self.new_link(tx, Purpose::TakeBack, person, from).await?;
        Ok(link.map(|token| {
            let words = Words {
                subject: format!("Your e-mail address for {} was changed", self.place),
                before: vec![
                    format!("The account at {} that had this e-mail address has another one now: {to}.", self.place),
                    "If it was you, there is nothing to do. If it was not, take it back: everybody is logged out, the password is no longer good, and you get a link to choose a new one.".to_owned(),
                ],
                link: Some(self.link("Take my address back", "/email/take-back", &token)),
                after: vec!["The link is good once, for 7 days.".to_owned()],
                ..Words::default()
            };
            (from.to_owned(), words)
        }))
    }

    /// Somebody gave an address that is another's; its owner is told, and nobody else.
    fn tried(&self) -> Words {
        Words {
            subject: format!("You have an account at {}", self.place),
            before: vec![format!(
                "Somebody, hopefully you, wanted to use this e-mail address for an account at {}. There is one that has it already, and nothing has changed.",
                self.place
            )],
            link: Some(Link { label: "Log in", url: format!("{}/login", self.app.config.issuer) }),
            after: vec![
                format!("If you have forgotten the password: {}/forgot", self.app.config.issuer),
                "If it was not you, there is nothing to do.".to_owned(),
            ],
            ..Words::default()
        }
    }

    /// What the new link holds; `None` for what is no address.
    async fn new_link(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        person: &User,
        email: &str,
    ) -> Result<Option<String>, store::Error> {
        let Some(email) = Email::parse(email) else { return Ok(None) };
        let token = secret::generate(PREFIX);
        let link = MailLink {
            user_id: person.id,
            email: email.typed,
            email_normalized: email.normalized,
            // However often it is tried: an older link outranks a newer one.
            created_at: self.owed.created_at,
        };
        mail_links::insert(tx, &SecretHash::of(token.expose_secret()), purpose, &link).await?;
        Ok(Some(token.expose_secret().to_owned()))
    }

    fn link(&self, label: &'static str, path: &str, token: &str) -> Link {
        Link { label, url: format!("{}{path}?token={token}", self.app.config.issuer) }
    }
}
