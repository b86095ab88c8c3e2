//! Turns to fetch a document: few at once and fewer at one host, so that a host that hangs holds up no other.

use std::sync::{Mutex, MutexGuard, PoisonError};

const AT_ONCE: usize = 16;
const AT_ONE_HOST: usize = 2;

/// The hosts that are being asked, each as often as it is.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Vec<String>>);

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    host: String,
}

impl Turns {
    /// `None` while too many others have one. Nobody waits: whoever asks can ask again.
    pub fn take(&self, host: &str) -> Option<Turn<'_>> {
        let mut asked = self.asked();
        let here = asked.iter().filter(|asked| *asked == host).count();
        if asked.len() >= AT_ONCE || here >= AT_ONE_HOST {
            return None;
        }
        asked.push(host.to_owned());
        Some(Turn { turns: self, host: host.to_owned() })
    }

    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut asked = self.turns.asked();
        if let Some(index) = asked.iter().position(|asked| *asked == self.host) {
            asked.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_takes_all_turns_and_turns_come_back() {
        let turns = Turns::default();
        let (first, second) = (turns.take("a"), turns.take("a"));
        assert!(first.is_some() && second.is_some() && turns.take("a").is_none());
        drop(first);
        let again = turns.take("a");
        assert!(again.is_some() && turns.take("a").is_none());
        let others: Vec<_> = (0..14).filter_map(|host| turns.take(&host.to_string())).collect();
        assert!(others.len() == 14 && turns.take("b").is_none());
        drop(second);
        assert!(turns.take("b").is_some());
    }
}
