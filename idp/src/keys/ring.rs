//! Which keys there are, which one signs, and how they are replaced.

use std::{io, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;

use super::{
    Algorithm, InvalidToken, OpenError,
    directory::{files, lock, make_directory, read_key, remove, write_key},
    signing_key::SigningKey,
};
use crate::oidc::document::Document;

/// Resource servers are told to fetch keys again after this long.
pub const PUBLISHED_FOR: TimeDelta = TimeDelta::minutes(5);
/// A new key signs only after every cache that keeps to [`PUBLISHED_FOR`] holds it.
const ACTIVATION_DELAY: TimeDelta = TimeDelta::minutes(10);

/// The ring as its directory is now. Cheap to read; [`KeyRing::reload`] replaces it.
#[derive(Clone, Debug)]
pub struct KeyRing {
    directory: Arc<Path>,
    snapshot: Arc<ArcSwap<Snapshot>>,
}

/// The keys at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// One for each algorithm.
    active: Vec<SigningKey>,
    /// All, newest first.
    keys: Vec<(DateTime<Utc>, SigningKey)>,
    /// The published document.
    pub jwks: Document,
}

/// What operators are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub kid: String,
    pub algorithm: Algorithm,
    pub activates_at: DateTime<Utc>,
    /// `signs`, `next` or `verifies`
    pub state: &'static str,
}

/// How keys are replaced: one of each algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The new key is published first and signs later; old ones go when all they signed has expired.
    Planned,
    /// For a key that somebody else may have: the new one signs at once, the others are gone at once.
    Now,
}

impl KeyRing {
    /// Opens the directory; makes it, and a first key for each algorithm that has none.
    pub fn open(directory: &Path, now: DateTime<Utc>) -> Result<Self, OpenError> {
        make_directory(directory)?;
        {
            let _lock = lock(directory)?;
            let files = files(directory)?;
            for algorithm in Algorithm::ALL {
                if !files.iter().any(|file| file.algorithm == algorithm) {
                    write_key(directory, algorithm, now)?;
                }
            }
        }
        let snapshot = Snapshot::load(directory, now, None)?;
        Ok(Self { directory: directory.into(), snapshot: Arc::new(ArcSwap::from_pointee(snapshot)) })
    }

    #[must_use]
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Reads the directory again. When that fails, what was known goes on.
    pub fn reload(&self, now: DateTime<Utc>) -> Result<(), OpenError> {
        let old = self.snapshot.load();
        let new = Snapshot::load(&self.directory, now, Some(&old))?;
        if new.jwks.body() != old.jwks.body() || new.active_kids() != old.active_kids() {
            let signs = new.active_kids().join(" ");
            tracing::info!(kid = %signs, keys = new.keys.len(), "the key ring has changed: {signs} sign");
            self.snapshot.store(Arc::new(new));
        }
        Ok(())
    }

    /// Every key, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<KeyInfo> {
        let snapshot = self.snapshot.load();
        let info = |(activates_at, key): &(DateTime<Utc>, SigningKey)| {
            let active = snapshot.keys.iter().find(|(_, other)| {
                other.algorithm == key.algorithm && snapshot.active_kids().contains(&other.kid.as_str())
            });
            let state = match active {
                Some((_, active)) if active.kid == key.kid => "signs",
                Some((since, _)) if activates_at > since => "next",
                _ => "verifies",
            };
            KeyInfo { kid: key.kid.clone(), algorithm: key.algorithm, activates_at: *activates_at, state }
        };
        snapshot.keys.iter().map(info).collect()
    }

    /// Adds a key, and removes those that are not needed any more: in a planned rotation the keys whose
    /// successor has signed for longer than `longest_lifetime`, that of any token.
    pub fn rotate(
        &self,
        rotation: Rotation,
        longest_lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(), OpenError> {
        let _lock = lock(&self.directory)?;
        for algorithm in Algorithm::ALL {
            let mut old = files(&self.directory)?;
            old.retain(|file| file.algorithm == algorithm);
            match rotation {
                Rotation::Planned => {
                    write_key(&self.directory, algorithm, now + ACTIVATION_DELAY)?;
                    // Newest first: a key's successor stands before it.
                    for (successor, retired) in old.iter().zip(old.iter().skip(1)) {
                        if successor.activates_at + longest_lifetime + PUBLISHED_FOR < now {
                            remove(&retired.path)?;
                        }
                    }
                }
                Rotation::Now => {
                    write_key(&self.directory, algorithm, now)?;
                    for file in &old {
                        remove(&file.path)?;
                    }
                }
            }
        }
        self.reload(now)
    }
}

impl Snapshot {
    fn load(directory: &Path, now: DateTime<Utc>, known: Option<&Self>) -> Result<Self, OpenError> {
        let mut keys: Vec<(DateTime<Utc>, SigningKey)> = Vec::new();
        for file in files(directory)? {
            if keys.iter().any(|(_, key)| key.kid == file.kid) {
                return Err(OpenError::Key(file.path, "holds a key that another file holds too"));
            }
            // Parsed once: a file that was seen before cannot have changed, its name is its thumbprint.
            let seen = known.and_then(|known| known.find(&file.kid));
            let key = match seen.filter(|key| key.algorithm == file.algorithm) {
                Some(key) => key.clone(),
                None => read_key(&file)?,
            };
            keys.push((file.activates_at, key));
        }
        let mut active = Vec::new();
        for algorithm in Algorithm::ALL {
            let of_now = keys.iter().find(|(since, key)| *since <= now && key.algorithm == algorithm);
            let none = || OpenError::NoKey(directory.to_owned(), algorithm.as_str());
            active.push(of_now.ok_or_else(none)?.1.clone());
        }
        let jwks = JwkSet { keys: keys.iter().map(|(_, key)| key.jwk.clone()).collect() };
        let jwks = serde_json::to_string(&jwks)
            .map_err(|error| OpenError::Io(directory.to_owned(), io::Error::other(error)))?;
        Ok(Self { active, jwks: Document::new(jwks), keys })
    }

    /// The key that signs with this algorithm now.
    pub fn active(&self, algorithm: Algorithm) -> Result<&SigningKey, InvalidToken> {
        let found = self.active.iter().find(|key| key.algorithm == algorithm);
        found.ok_or(InvalidToken("the ring has no key for its algorithm"))
    }

    fn active_kids(&self) -> Vec<&str> {
        self.active.iter().map(|key| key.kid.as_str()).collect()
    }

    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().map(|(_, key)| key).find(|key| key.kid == kid)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::master_secret, *};

    const HOUR: TimeDelta = TimeDelta::hours(1);

    /// Of one algorithm, newest first; all have the same.
    fn states(ring: &KeyRing) -> Vec<&'static str> {
        let keys = ring.list();
        let of = |algorithm| {
            keys.iter().filter(|key| key.algorithm == algorithm).map(|key| key.state).collect::<Vec<_>>()
        };
        for other in Algorithm::ALL {
            assert_eq!(of(other), of(Algorithm::RS256), "{other:?}");
        }
        of(Algorithm::RS256)
    }

    fn kid(ring: &KeyRing) -> String {
        ring.snapshot().active(Algorithm::RS256).unwrap().kid.clone()
    }

    #[test]
    fn a_planned_rotation_publishes_first_signs_later_and_keeps_what_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let mut now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ring = KeyRing::open(directory.path(), now).unwrap();
        let first = kid(&ring);

        ring.rotate(Rotation::Planned, HOUR, now).unwrap();
        assert_eq!(states(&ring), ["next", "signs"]);
        assert_eq!(kid(&ring), first);

        now += ACTIVATION_DELAY;
        ring.reload(now).unwrap();
        assert_eq!(states(&ring), ["signs", "verifies"]);

        now += HOUR + PUBLISHED_FOR + TimeDelta::seconds(1);
        ring.rotate(Rotation::Planned, HOUR, now).unwrap();
        assert_eq!(states(&ring), ["next", "signs"]);
        assert!(ring.snapshot().find(&first).is_none());
    }

    #[test]
    fn a_compromised_key_is_gone_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ring = KeyRing::open(directory.path(), now).unwrap();
        let first = kid(&ring);
        ring.rotate(Rotation::Now, HOUR, now).unwrap();
        assert_eq!(states(&ring), ["signs"]);
        assert_ne!(kid(&ring), first);
    }

    #[test]
    fn another_node_finds_the_same_ring_and_the_same_secret() {
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (a, b) =
            (KeyRing::open(directory.path(), now).unwrap(), KeyRing::open(directory.path(), now).unwrap());
        assert_eq!(a.snapshot().jwks.body(), b.snapshot().jwks.body());
        assert_eq!(master_secret(directory.path()).unwrap(), master_secret(directory.path()).unwrap());
    }

    #[test]
    fn a_ring_from_before_there_were_other_algorithms_gets_keys_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        make_directory(directory.path()).unwrap();
        write_key(directory.path(), Algorithm::RS256, now).unwrap();
        let before = files(directory.path()).unwrap();
        let ring = KeyRing::open(directory.path(), now).unwrap();
        assert_eq!(states(&ring), ["signs"]);
        assert_eq!(kid(&ring), before.first().unwrap().kid);
    }

    #[test]
    fn no_key_serves_two_algorithms() {
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ring = KeyRing::open(directory.path(), now).unwrap();
        let key = files(directory.path()).unwrap().into_iter().find(|key| key.algorithm == Algorithm::RS256);
        let key = key.unwrap();
        let name = format!("20260101T000000Z.PS256.{}.pem", key.kid);
        fs::copy(&key.path, directory.path().join(name)).unwrap();
        assert!(matches!(ring.reload(now), Err(OpenError::Key(..))));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_keys() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        KeyRing::open(directory.path(), now).unwrap();
        master_secret(directory.path()).unwrap();
        for entry in fs::read_dir(directory.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != ".lock" {
                assert_eq!(
                    entry.metadata().unwrap().permissions().mode() & 0o777,
                    0o600,
                    "{:?}",
                    entry.path()
                );
            }
        }
    }
}
