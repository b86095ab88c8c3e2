//! argon2 itself: PHC strings made and compared.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use platform::secret;

/// argon2id with today's parameters, and the memory that one thread hashes in. The system gives memory out
/// a page at a time, which costs a tenth of a hash: it is kept as long as there is more to do.
pub(super) struct Hasher {
    pub(super) params: Params,
    memory: Vec<Block>,
}

impl Hasher {
    pub(super) fn new(params: Params) -> Self {
        Self { params, memory: Vec::new() }
    }

    /// Gives the memory back.
    pub(super) fn rest(&mut self) {
        self.memory = Vec::new();
    }

    fn derive(&mut self, argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<Output, Unusable> {
        let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length).ok_or(Unusable)?;
        self.memory.resize(argon2.params().block_count(), Block::new());
        argon2
            .hash_password_into_with_memory(password, salt, output, &mut self.memory)
            .map_err(|_| Unusable)?;
        Output::new(output).map_err(|_| Unusable)
    }

    /// A PHC string with a salt of its own.
    pub(super) fn hash(&mut self, password: &[u8]) -> Result<String, Unusable> {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let argon2 = Argon2::new(algorithm, version, self.params.clone());
        let salt = Salt::new(&secret::random::<16>()).map_err(|_| Unusable)?;
        let output = self.derive(&argon2, password, &salt)?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&self.params).map_err(|_| Unusable)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    /// Whether `password` makes the stored hash; compared in constant time, as `Output` does.
    pub(super) fn matches(&mut self, password: &[u8], stored: &PasswordHash) -> Result<bool, Unusable> {
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Err(Unusable) };
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(|_| Unusable)?;
        let version = stored.version.map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(stored).map_err(|_| Unusable)?;
        let argon2 = Argon2::new(algorithm, version.map_err(|_| Unusable)?, params);
        Ok(self.derive(&argon2, password, salt)? == *expected)
    }
}

/// argon2 does not take the parameters, or the stored hash is not one of its own.
#[derive(Debug, thiserror::Error)]
#[error("argon2 cannot work with this")]
pub(super) struct Unusable;
