//! Scopes, RFC 6749 §3.3: sets of words, written in sorted order.

use oxide_auth::primitives::scope::Scope;

/// Those of OpenID Connect (Core §5.4 and §11): they ask for claims about a person, or for access while they are
/// away, and are not for clients that act as themselves.
pub const OPENID: [&str; 6] = ["openid", "profile", "email", "phone", "address", "offline_access"];

/// `None` when it holds characters that a scope may not.
#[must_use]
pub fn parse(text: &str) -> Option<Scope> {
    text.parse().ok()
}

/// Sorted, so that equal sets are equal texts.
#[must_use]
pub fn to_text(scope: &Scope) -> String {
    let mut words: Vec<&str> = scope.iter().collect();
    words.sort_unstable();
    words.join(" ")
}

/// The words of `asked` that are also in `allowed`; `None` when there are none.
#[must_use]
pub fn intersection(asked: &Scope, allowed: &str) -> Option<Scope> {
    filtered(asked, |word| has(allowed, word))
}

/// The words that a client may use when it acts as itself.
#[must_use]
pub fn for_machines(scope: &Scope) -> Option<Scope> {
    filtered(scope, |word| !OPENID.contains(&word))
}

fn filtered(scope: &Scope, keep: impl Fn(&str) -> bool) -> Option<Scope> {
    let words: Vec<&str> = scope.iter().filter(|word| keep(word)).collect();
    if words.is_empty() { None } else { parse(&words.join(" ")) }
}

/// Whether a space-separated text holds a word.
#[must_use]
pub fn has(text: &str, word: &str) -> bool {
    text.split(' ').any(|have| have == word)
}

/// Whether every word of `asked` is in `held`.
#[must_use]
pub fn covers(held: &str, asked: &str) -> bool {
    asked.split(' ').all(|word| has(held, word))
}

/// Both, each word once.
#[must_use]
pub fn union(a: &str, b: &str) -> String {
    let mut words: Vec<&str> = a.split(' ').chain(b.split(' ')).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}
