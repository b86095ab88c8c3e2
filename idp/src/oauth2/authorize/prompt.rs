//! `prompt`, OpenID Connect Core §3.1.2.1 and Initiating User Registration 1.0.

/// What the client wants the person to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
    pub create: bool,
}

impl Prompt {
    /// `None` when a value is unknown, or `none` stands beside another.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Option<Self> {
        let mut prompt = Self::default();
        for value in text.unwrap_or_default().split_ascii_whitespace() {
            match value {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                "create" => prompt.create = true,
                _ => return None,
            }
        }
        let alone = !(prompt.login || prompt.consent || prompt.select_account || prompt.create);
        (alone || !prompt.none).then_some(prompt)
    }

    /// Whether a session from before the request is not enough.
    #[must_use]
    pub fn log_in_again(self) -> bool {
        self.login || self.select_account || self.create
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_stands_alone() {
        assert_eq!(Prompt::parse(None), Some(Prompt::default()));
        assert!(Prompt::parse(Some("none")).unwrap().none);
        assert!(Prompt::parse(Some("login consent")).unwrap().consent);
        for bad in ["none login", "create none", "force"] {
            assert_eq!(Prompt::parse(Some(bad)), None, "{bad}");
        }
    }
}
