//! The directory: reading it, adding to it, removing from it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;
use platform::secret;
use zeroize::Zeroizing;

use super::signing_key::SigningKey;
use crate::oidc::document::Document;

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const MASTER: &str = "master.secret";

/// Resource servers are told to fetch keys again after this long.
pub const PUBLISHED_FOR: TimeDelta = TimeDelta::minutes(5);
/// A new key signs only after every cache that keeps to [`PUBLISHED_FOR`] holds it.
const ACTIVATION_DELAY: TimeDelta = TimeDelta::minutes(10);

/// Why the ring cannot be used; names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use {0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0} {1}")]
    Key(PathBuf, &'static str),
    #[error("there is no key in {0} whose activation time has come")]
    NoKey(PathBuf),
}

/// The ring as its directory is now. Cheap to read; [`KeyRing::reload`] replaces it.
#[derive(Clone, Debug)]
pub struct KeyRing {
    directory: Arc<Path>,
    snapshot: Arc<ArcSwap<Snapshot>>,
}

/// The keys at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub active: SigningKey,
    /// All, newest first.
    keys: Vec<(DateTime<Utc>, SigningKey)>,
    /// The published document.
    pub jwks: Document,
}

/// What operators are shown.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub kid: String,
    pub activates_at: DateTime<Utc>,
    /// `signs`, `next` or `verifies`
    pub state: &'static str,
}

/// How a key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The new key is published first and signs later; old ones go when all they signed has expired.
    Planned,
    /// For a key that somebody else may have: the new one signs at once, the others are gone at once.
    Now,
}

impl KeyRing {
    /// Opens the directory; makes it, with a first key, when there is none.
    pub fn open(directory: &Path, now: DateTime<Utc>) -> Result<Self, OpenError> {
        make_directory(directory)?;
        {
            let _lock = lock(directory)?;
            if files(directory)?.is_empty() {
                write_key(directory, now)?;
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
        if new.jwks.body() != old.jwks.body() || new.active.kid != old.active.kid {
            tracing::info!(kid = %new.active.kid, keys = new.keys.len(), "the key ring has changed: {} signs", new.active.kid);
            self.snapshot.store(Arc::new(new));
        }
        Ok(())
    }

    /// Every key, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<KeyInfo> {
        let snapshot = self.snapshot.load();
        let state = |key: &SigningKey, activates_at: DateTime<Utc>| {
            let active = snapshot.keys.iter().find(|(_, key)| key.kid == snapshot.active.kid);
            if key.kid == snapshot.active.kid {
                "signs"
            } else if active.is_some_and(|(since, _)| activates_at > *since) {
                "next"
            } else {
                "verifies"
            }
        };
        let info = |(activates_at, key): &(DateTime<Utc>, SigningKey)| KeyInfo {
            kid: key.kid.clone(),
            activates_at: *activates_at,
            state: state(key, *activates_at),
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
        let old = files(&self.directory)?;
        match rotation {
            Rotation::Planned => {
                write_key(&self.directory, now + ACTIVATION_DELAY)?;
                // Newest first: a key's successor stands before it.
                for (successor, retired) in old.iter().zip(old.iter().skip(1)) {
                    if successor.activates_at + longest_lifetime + PUBLISHED_FOR < now {
                        remove(&retired.path)?;
                    }
                }
            }
            Rotation::Now => {
                write_key(&self.directory, now)?;
                for file in &old {
                    remove(&file.path)?;
                }
            }
        }
        self.reload(now)
    }
}

impl Snapshot {
    fn load(directory: &Path, now: DateTime<Utc>, known: Option<&Self>) -> Result<Self, OpenError> {
        let mut keys = Vec::new();
        for file in files(directory)? {
            // Parsed once: a file that was seen before cannot have changed, its name is its thumbprint.
            let key = match known.and_then(|known| known.find(&file.kid)) {
                Some(key) => key.clone(),
                None => read_key(&file)?,
            };
            keys.push((file.activates_at, key));
        }
        let active = keys.iter().find(|(activates_at, _)| *activates_at <= now);
        let (_, active) = active.ok_or_else(|| OpenError::NoKey(directory.to_owned()))?;
        let jwks = JwkSet { keys: keys.iter().map(|(_, key)| key.jwk.clone()).collect() };
        let jwks = serde_json::to_string(&jwks)
            .map_err(|error| OpenError::Io(directory.to_owned(), io::Error::other(error)))?;
        Ok(Self { active: active.clone(), jwks: Document::new(jwks), keys })
    }

    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().map(|(_, key)| key).find(|key| key.kid == kid)
    }
}

#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    activates_at: DateTime<Utc>,
    kid: String,
}

/// The key files, newest first. What is not named like one is somebody else's.
fn files(directory: &Path) -> Result<Vec<KeyFile>, OpenError> {
    let failed = |error| OpenError::Io(directory.to_owned(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((time, kid)) = name.strip_suffix(".pem").and_then(|name| name.split_once('.')) else {
            continue;
        };
        let Ok(time) = NaiveDateTime::parse_from_str(time, TIME_FORMAT) else { continue };
        files.push(KeyFile { activates_at: time.and_utc(), kid: kid.to_owned(), path });
    }
    files.sort_by(|a, b| (b.activates_at, &b.kid).cmp(&(a.activates_at, &a.kid)));
    Ok(files)
}

fn read_key(file: &KeyFile) -> Result<SigningKey, OpenError> {
    let pem = fs::read_to_string(&file.path).map_err(|error| OpenError::Io(file.path.clone(), error))?;
    let key = SigningKey::from_pem(&Zeroizing::new(pem))
        .map_err(|_| OpenError::Key(file.path.clone(), "is not an RSA key in PKCS#8 PEM"))?;
    if key.kid != file.kid {
        return Err(OpenError::Key(file.path.clone(), "is not named after its key's thumbprint"));
    }
    Ok(key)
}

fn write_key(directory: &Path, activates_at: DateTime<Utc>) -> Result<(), OpenError> {
    let unusable = |_| OpenError::Key(directory.to_owned(), "got no key: none could be generated");
    let pem = SigningKey::generate().map_err(unusable)?;
    let kid = SigningKey::from_pem(&pem).map_err(unusable)?.kid;
    let name = format!("{}.{kid}.pem", activates_at.format(TIME_FORMAT));
    write_private(&directory.join(name), pem.as_bytes())
}

/// The secret from which all others are derived; made on first use.
pub fn master_secret(directory: &Path) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    make_directory(directory)?;
    let path = directory.join(MASTER);
    let _lock = lock(directory)?;
    if !path.exists() {
        write_private(&path, &Zeroizing::new(secret::random::<32>())[..])?;
    }
    let secret = Zeroizing::new(fs::read(&path).map_err(|error| OpenError::Io(path.clone(), error))?);
    if secret.len() == 32 { Ok(secret) } else { Err(OpenError::Key(path, "must be 32 bytes long")) }
}

/// Makes the directory when there is none, for its owner only.
fn make_directory(directory: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| OpenError::Io(directory.to_owned(), error))
}

/// Writes a whole file or none, readable by its owner only, and durable.
fn write_private(path: &Path, content: &[u8]) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io(path.to_owned(), error);
    let temporary = path.with_extension("tmp");
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    // The name is durable when the directory is.
    match path.parent() {
        Some(directory) => {
            fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
        }
        None => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Io(path.to_owned(), error)),
        _ => Ok(()),
    }
}

/// Held while the directory is written to: several nodes may start at once.
fn lock(directory: &Path) -> Result<fs::File, OpenError> {
    let path = directory.join(".lock");
    let failed = |error| OpenError::Io(path.clone(), error);
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: TimeDelta = TimeDelta::hours(1);

    fn states(ring: &KeyRing) -> Vec<&'static str> {
        ring.list().iter().map(|key| key.state).collect()
    }

    #[test]
    fn a_planned_rotation_publishes_first_signs_later_and_keeps_what_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let mut now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ring = KeyRing::open(directory.path(), now).unwrap();
        let first = ring.snapshot().active.kid.clone();

        ring.rotate(Rotation::Planned, HOUR, now).unwrap();
        assert_eq!(states(&ring), ["next", "signs"]);
        assert_eq!(ring.snapshot().active.kid, first);

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
        let first = ring.snapshot().active.kid.clone();
        ring.rotate(Rotation::Now, HOUR, now).unwrap();
        assert_eq!(states(&ring), ["signs"]);
        assert_ne!(ring.snapshot().active.kid, first);
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
