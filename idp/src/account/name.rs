//! What people are called.

const MAX_CHARACTERS: usize = 100;

/// Why a name (trimmed) cannot be taken, if it cannot.
#[must_use]
pub fn refuse(name: &str) -> Option<&'static str> {
    match name.chars().count() {
        0 => Some("Enter your name."),
        1..=MAX_CHARACTERS if name.chars().any(char::is_control) => {
            Some("The name holds a character that cannot be shown.")
        }
        1..=MAX_CHARACTERS => None,
        _ => Some("Use at most 100 characters."),
    }
}
