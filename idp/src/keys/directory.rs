//! The files of the ring: reading them, adding, removing, and keeping others out meanwhile.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use platform::secret;
use zeroize::Zeroizing;

use super::{Algorithm, signing_key::SigningKey};

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const MASTER: &str = "master.secret";

/// Why the ring cannot be used; names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use {0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0} {1}")]
    Key(PathBuf, &'static str),
    #[error("there is no key for {1} in {0} whose activation time has come")]
    NoKey(PathBuf, &'static str),
}

#[derive(Debug)]
pub(super) struct KeyFile {
    pub path: PathBuf,
    pub activates_at: DateTime<Utc>,
    pub algorithm: Algorithm,
    pub kid: String,
}

/// The key files, newest first. What is not named like one is somebody else's.
pub(super) fn files(directory: &Path) -> Result<Vec<KeyFile>, OpenError> {
    let failed = |error| OpenError::Io(directory.to_owned(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((activates_at, algorithm, kid)) = name.strip_suffix(".pem").and_then(parse_name) {
            files.push(KeyFile { activates_at, algorithm, kid: kid.to_owned(), path });
        }
    }
    files.sort_by(|a, b| (b.activates_at, &b.kid).cmp(&(a.activates_at, &a.kid)));
    Ok(files)
}

/// `<activation time>.<kid>` for RS256, `<activation time>.<algorithm>.<kid>` for the others.
fn parse_name(name: &str) -> Option<(DateTime<Utc>, Algorithm, &str)> {
    let (time, rest) = name.split_once('.')?;
    let time = NaiveDateTime::parse_from_str(time, TIME_FORMAT).ok()?;
    let (algorithm, kid) = match rest.split_once('.') {
        None => (Algorithm::RS256, rest),
        Some((algorithm, kid)) => (Algorithm::try_from(algorithm.to_owned()).ok()?, kid),
    };
    Some((time.and_utc(), algorithm, kid))
}

pub(super) fn read_key(file: &KeyFile) -> Result<SigningKey, OpenError> {
    let pem = fs::read_to_string(&file.path).map_err(|error| OpenError::Io(file.path.clone(), error))?;
    let key = SigningKey::from_pem(file.algorithm, &Zeroizing::new(pem))
        .map_err(|_| OpenError::Key(file.path.clone(), "is not a key for its algorithm in PKCS#8 PEM"))?;
    if key.kid != file.kid {
        return Err(OpenError::Key(file.path.clone(), "is not named after its key's thumbprint"));
    }
    Ok(key)
}

pub(super) fn write_key(
    directory: &Path,
    algorithm: Algorithm,
    activates_at: DateTime<Utc>,
) -> Result<(), OpenError> {
    let unusable = |_| OpenError::Key(directory.to_owned(), "got no key: none could be generated");
    let pem = SigningKey::generate(algorithm).map_err(unusable)?;
    let kid = SigningKey::from_pem(algorithm, &pem).map_err(unusable)?.kid;
    let time = activates_at.format(TIME_FORMAT);
    let name = match algorithm {
        Algorithm::RS256 => format!("{time}.{kid}.pem"),
        other => format!("{time}.{}.{kid}.pem", other.as_str()),
    };
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
pub(super) fn make_directory(directory: &Path) -> Result<(), OpenError> {
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

pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Io(path.to_owned(), error)),
        _ => Ok(()),
    }
}

/// Held while the directory is written to: several nodes may start at once.
pub(super) fn lock(directory: &Path) -> Result<fs::File, OpenError> {
    let path = directory.join(".lock");
    let failed = |error| OpenError::Io(path.clone(), error);
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}
