//! Where in the list somebody is: which tasks, found how, and how many of them.

use url::form_urlencoded;

/// How many tasks more each "more" shows.
const STEP: usize = 100;
/// More than this are not shown at once.
const MOST: usize = 1000;
/// The API's limit for a search, in characters.
const LONGEST_SEARCH: usize = 255;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    All,
    Open,
    Done,
}

impl Filter {
    pub(crate) const ALL: [Self; 3] = [Self::All, Self::Open, Self::Done];

    /// In URLs; the default has none.
    pub(crate) fn value(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Open => Some("open"),
            Self::Done => Some("done"),
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Open => "Open",
            Self::Done => "Done",
        }
    }

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::All => "All tasks",
            Self::Open => "Open tasks",
            Self::Done => "Done tasks",
        }
    }

    pub(crate) fn completed(self) -> Option<bool> {
        match self {
            Self::All => None,
            Self::Open => Some(false),
            Self::Done => Some(true),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) filter: Filter,
    pub(crate) search: String,
    /// How many tasks are shown at most.
    pub(crate) show: usize,
}

impl Place {
    /// Reads a query string, as far as it makes sense.
    pub(crate) fn parse(query: &str) -> Self {
        let mut place = Self { filter: Filter::All, search: String::new(), show: STEP };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "filter" => {
                    let named = Filter::ALL.into_iter().find(|filter| filter.value() == Some(&*value));
                    place.filter = named.unwrap_or_default();
                }
                "q" => {
                    let shown = value.trim().chars().filter(|character| !character.is_control());
                    place.search = shown.take(LONGEST_SEARCH).collect();
                }
                "show" => place.show = value.parse().unwrap_or(STEP).clamp(STEP, MOST),
                _ => {}
            }
        }
        place
    }

    /// What [`Place::parse`] reads.
    pub(crate) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(value) = self.filter.value() {
            query.append_pair("filter", value);
        }
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        if self.show != STEP {
            query.append_pair("show", &self.show.to_string());
        }
        query.finish()
    }

    pub(crate) fn path(&self) -> String {
        match self.query() {
            query if query.is_empty() => "/tasks".into(),
            query => format!("/tasks?{query}"),
        }
    }

    pub(crate) fn with_filter(&self, filter: Filter) -> String {
        Self { filter, show: STEP, ..self.clone() }.path()
    }

    pub(crate) fn without_search(&self) -> String {
        Self { search: String::new(), show: STEP, ..self.clone() }.path()
    }

    /// `None` when as many are shown as ever are.
    pub(crate) fn with_more(&self) -> Option<String> {
        (self.show < MOST).then(|| Self { show: (self.show + STEP).min(MOST), ..self.clone() }.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_own_query() {
        for query in ["", "filter=open", "filter=done&q=a+%26+b&show=300", "q=%D8%B3"] {
            let place = Place::parse(query);
            assert_eq!(place.query(), query);
            assert_eq!(Place::parse(&place.query()), place);
        }
    }

    #[test]
    fn nonsense_is_the_whole_list() {
        let whole = Place::parse("");
        for query in ["filter=x", "show=-1", "show=0", "%%%", "q=%00", "q=++"] {
            assert_eq!(Place::parse(query), whole, "{query}");
        }
        assert_eq!(Place::parse("show=99999").with_more(), None);
        assert_eq!(Place::parse(&format!("q={}", "x".repeat(400))).search.len(), 255);
    }
}
