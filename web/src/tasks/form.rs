//! A task as somebody types it, and what the API says is wrong with it.

use uuid::Uuid;

use crate::api_client::{Draft, FieldError, Task};

#[derive(Debug)]
pub(crate) struct TaskForm {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) title_error: Option<&'static str>,
    pub(crate) description_error: Option<&'static str>,
    /// Makes creating idempotent: the same form makes one task, however often it is sent.
    pub(crate) key: Uuid,
}

impl TaskForm {
    pub(crate) fn empty() -> Self {
        Self::typed(String::new(), String::new(), Uuid::new_v4())
    }

    pub(crate) fn typed(title: String, description: String, key: Uuid) -> Self {
        Self { title, description, title_error: None, description_error: None, key }
    }

    pub(crate) fn of(task: Task) -> Self {
        Self::typed(task.title, task.description.unwrap_or_default(), Uuid::nil())
    }

    pub(crate) fn draft(&self) -> Draft {
        // A browser sends line ends as CR LF; people and the API count them as one.
        let description = self.description.replace("\r\n", "\n");
        let description = Some(description).filter(|text| !text.trim().is_empty());
        Draft { title: self.title.clone(), description }
    }

    pub(crate) fn is_invalid(&self) -> bool {
        self.title_error.is_some() || self.description_error.is_some()
    }

    /// The same, with messages where the API said that something is wrong.
    pub(crate) fn refused(mut self, errors: &[FieldError]) -> Self {
        let wrong = |field: &str| errors.iter().any(|error| error.field == field);
        let title_error = match self.title.trim() {
            "" => "Write what is to be done.",
            _ => "Use 1 to 255 characters.",
        };
        self.title_error = (wrong("title") || !wrong("description")).then_some(title_error);
        self.description_error = wrong("description").then_some("Use at most 1024 characters.");
        self
    }
}
