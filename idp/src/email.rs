//! E-mail addresses: what is one, and when two are the same.

/// An address as typed, and the form in which it is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub typed: String,
    /// Trimmed, lower-case, the domain in ASCII (IDNA).
    pub normalized: String,
}

impl Email {
    /// `None` for what no mail could be sent to: more than 254 characters, a local part over 64 bytes or
    /// with spaces and control characters, a domain that is none. Quoted local parts are not taken.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        let (local, domain) = typed.rsplit_once('@')?;
        let fine = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c);
        if local.is_empty()
            || local.len() > 64
            || !local.chars().all(fine)
            || local.starts_with('.')
            || local.ends_with('.')
            || local.contains("..")
        {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(domain).ok()?;
        let labels = domain.split('.').count();
        let numeric = domain.rsplit('.').next().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if domain.is_empty() || (labels < 2 && domain != "localhost") || numeric {
            return None;
        }
        let normalized = format!("{}@{domain}", local.to_lowercase());
        (typed.len() <= 254 && normalized.len() <= 254).then(|| Self { typed: typed.to_owned(), normalized })
    }

    /// What mail servers are told: the local part as typed, the domain in ASCII (RFC 5321 §2.3.5).
    #[must_use]
    pub fn mailbox(&self) -> String {
        let local = self.typed.rsplit_once('@').map_or("", |(local, _)| local);
        let domain = self.normalized.rsplit_once('@').map_or("", |(_, domain)| domain);
        format!("{local}@{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one_account() {
        let alice = Email::parse("alice@example.com").unwrap();
        for same in ["Alice@Example.COM", "  alice@example.com ", "ALICE@EXAMPLE.com"] {
            assert_eq!(Email::parse(same).unwrap().normalized, alice.normalized, "{same}");
        }
        assert_eq!(Email::parse("j@B\u{fc}cher.example").unwrap().normalized, "j@xn--bcher-kva.example");
        assert_eq!(Email::parse("J@B\u{fc}cher.example").unwrap().mailbox(), "J@xn--bcher-kva.example");
        assert_ne!(Email::parse("al.ice@example.com").unwrap().normalized, alice.normalized);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "@",
            "alice",
            "alice@",
            "@example.com",
            "a b@example.com",
            "a@b@c.example",
            "alice@example",
            "a\0@example.com",
            "alice@-x-.example",
            ".a@example.com",
            "a..b@example.com",
            "alice@1.2.3.4",
            "\"a\"@example.com",
            "alice@exa mple.com",
            &format!("{}@example.com", "a".repeat(65)),
            &format!("a@{}.example", "b".repeat(250)),
        ] {
            assert_eq!(Email::parse(bad), None, "{bad:?}");
        }
    }
}
