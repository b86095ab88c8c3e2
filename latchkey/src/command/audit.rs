//! `latchkey audit list|verify|export`.

use idp::{
    admin::{
        Operator,
        audit::{self, Filter},
    },
    audit::{Mark, Verdict},
};
use platform::clock::Clock;

use super::{open, table};
use crate::{
    Failure,
    cli::{AuditAction, Since},
    say,
};

pub(crate) async fn run(action: AuditAction, config: &idp::Config) -> Result<(), Failure> {
    let operator = open(config).await?;
    match action {
        AuditAction::List { user, event, since, limit } => {
            let since = since.map(|since| match since {
                Since::Ago(past) => Clock::System.now() - past,
                Since::At(moment) => moment,
            });
            let filter = Filter { user: user.as_deref(), event: event.as_deref(), since };
            let events = audit::list(&operator, &filter, limit).await?;
            let rows: Vec<[String; 4]> = events
                .into_iter()
                .map(|event| {
                    let at = event.at.format("%Y-%m-%d %H:%M:%S").to_string();
                    [at, event.words, event.user, event.address]
                })
                .collect();
            table(["WHEN (UTC)", "WHAT", "WHO", "FROM"], &rows)
        }
        AuditAction::Verify { kept } => verify(&operator, kept.as_ref()).await,
        AuditAction::Export => export(&operator).await,
    }
}

async fn verify(operator: &Operator, kept: Option<&Mark>) -> Result<(), Failure> {
    match audit::verify(operator, kept).await? {
        Verdict::Whole { head: None, .. } => say("The log is whole: nothing has happened yet."),
        Verdict::Whole { events, head: Some(head) } => {
            say(format_args!("The log is whole: {events} events."))?;
            say(format_args!("mark  {head}"))?;
            say(
                "\nKeep the mark elsewhere: `latchkey audit verify --kept <mark>` proves that nothing was cut off since.",
            )
        }
        Verdict::Broken { seq, reason } => {
            Err(Failure::new(format_args!("the log is broken at event {seq}: {reason}")))
        }
    }
}

async fn export(operator: &Operator) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = audit::export(operator, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for event in &page {
            say(serde_json::to_string(event)?)?;
        }
    }
}
