use std::{collections::BTreeMap, fs, path::Path};

use super::*;

/// What a rule stands behind, in code.
const REFUSES: [&str; 10] = [
    "InvalidRequest(",
    "InvalidClient(",
    "InvalidGrant(",
    "UnauthorizedClient(",
    "InvalidScope(",
    "InvalidTarget(",
    "InvalidDpopProof(",
    "InvalidToken(",
    "Invalid(",
    "PageError::Request(",
];
/// The same, where a function says what is wrong and its caller refuses.
const SAYS_WHY: [&str; 8] =
    ["Err(", "Err((", "ok_or(", "ok_or((", "map_err(|_|", "map_err(|()|", "refuse(", "=> ("];
/// What says of other things than requests what is wrong with them.
const ELSEWHERE: [&str; 4] =
    ["standard_claims.rs", "metadata.rs", "backchannel_logout.rs", "redirect_uri.rs"];

/// Every text that a request may be refused with, and where it stands.
fn rules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rules = BTreeMap::new();
    let mut read = |path: &Path, says_why: bool, displayed: bool| {
        let code = fs::read_to_string(path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        for (before, text) in texts(&code) {
            let before = before.trim_end();
            // The error code, and what is handed on, may come first.
            let after_code = before.strip_suffix(',');
            let before = after_code.map_or(before, |rest| {
                rest.trim_end().rsplit_once(['(', '\n']).map_or(rest, |(head, _)| head.trim_end())
            });
            let named = after_code.is_some() && before.ends_with("refusals::refused");
            let ends = |with: &str| before.ends_with(with) || before.ends_with(with.trim_end_matches('('));
            let refuses = REFUSES.into_iter().any(ends) || says_why && SAYS_WHY.into_iter().any(ends);
            let display = displayed && before.ends_with("#[error(");
            let rule = text.split_once(": ").filter(|(code, _)| display && !code.contains(' '));
            let rule = rule.map_or(text, |(_, rule)| rule);
            if named || (refuses || display) && text.contains(' ') && !text.contains('{') {
                rules.insert(rule.to_owned(), path.display().to_string());
            }
        }
    };
    for folder in ["src/oauth2", "src/oidc"] {
        // What apps say of themselves is refused in words that they are told: there is advice for all of them.
        visit(&root.join(folder), &mut |path| {
            read(path, !path.ends_with("register.rs"), path.ends_with("error.rs"))
        });
    }
    visit(&root.join("src/account"), &mut |path| read(path, false, false));
    for (file, says_why, displayed) in [
        ("src/error.rs", false, true),
        ("src/clients.rs", true, true),
        ("src/keys/jws.rs", true, false),
        ("../platform/src/jws.rs", true, false),
        ("../platform/src/dpop.rs", true, false),
    ] {
        read(&root.join(file), says_why, displayed);
    }
    // Leads on, and refuses nothing.
    rules.remove("something else comes first");
    rules
}

fn visit(folder: &Path, read: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            visit(&path, read);
        } else if !ELSEWHERE.contains(&name.as_str()) {
            read(&path);
        }
    }
}

/// Each text in code, and what stands before it.
fn texts(code: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find('"').map(|offset| at + offset) {
        let mut end = start + 1;
        while code.as_bytes().get(end).is_some_and(|byte| *byte != b'"') {
            end += if code.as_bytes()[end] == b'\\' { 2 } else { 1 };
        }
        if end >= code.len() {
            break;
        }
        found.push((&code[..start], &code[start + 1..end]));
        at = end + 1;
    }
    found
}

#[test]
fn there_is_advice_for_every_rule_and_none_for_what_is_no_rule() {
    let rules = rules();
    assert!(rules.len() > 120, "only {} rules were found", rules.len());
    let without: Vec<_> = rules.iter().filter(|(rule, _)| advice("", rule).is_none()).collect();
    assert!(without.is_empty(), "no advice for {without:#?}");
    let sources: String = ["src", "../platform/src"]
        .iter()
        .map(|folder| {
            let mut all = String::new();
            visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut |path| {
                let in_advice = path.components().any(|part| part.as_os_str() == "advice");
                if !in_advice && path.extension().is_some_and(|kind| kind == "rs") {
                    all.push_str(&fs::read_to_string(path).unwrap());
                }
            });
            all
        })
        .collect();
    for rule in all().flat_map(|(_, rules)| rules.iter()) {
        let of_scope = rule.strip_suffix(" is needed");
        assert!(of_scope.is_some() || sources.contains(rule), "advice for {rule:?}, which refuses nothing");
    }
}

#[test]
fn a_rule_has_one_advice() {
    let mut all: Vec<_> = all().flat_map(|(_, rules)| rules.iter()).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
