//! What to do about each rule that refuses: said to operators, who know both sides.

mod clients;
mod people;
mod requests;

/// What holds for a whole error code, when nothing is said of the rule: what apps say of themselves when they register
/// is refused in words that hold what they said.
const BY_ERROR: [(&str, &str); 2] = [
    (
        "invalid_redirect_uri",
        "Correct the redirect URI in what the app sends to /register; the app was told the same words.",
    ),
    (
        "invalid_client_metadata",
        "Correct the metadata that the app sends to /register, or publishes; the app was told the same words.",
    ),
];

/// What to do, and the rules that it is for. A test finds every rule in the code and looks for it here.
type Advice = (&'static str, &'static [&'static str]);

fn all() -> impl Iterator<Item = &'static Advice> {
    clients::ADVICE.iter().chain(requests::ADVICE).chain(people::ADVICE)
}

/// What to do about a rule.
#[must_use]
pub fn advice(error: &str, rule: &str) -> Option<&'static str> {
    let by_rule = all().find(|(_, rules)| rules.contains(&rule)).map(|(advice, _)| *advice);
    by_rule.or_else(|| BY_ERROR.iter().find(|(code, _)| *code == error).map(|(_, advice)| *advice))
}

#[cfg(test)]
mod tests;
