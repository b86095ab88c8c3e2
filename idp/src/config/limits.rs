//! How long things are good for, what a password costs, and how many attempts are free.

use platform::config::Mistakes;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    pub access_token_lifetime: u32,
    pub id_token_lifetime: u32,
    pub code_lifetime: u32,
    /// How long a person may take to enter a device's code.
    pub device_code_lifetime: u32,
    /// How long a refresh token may lie unused.
    pub refresh_token_idle: u32,
    /// How long refreshing can go on in all.
    pub refresh_token_lifetime: u32,
    /// How long a refresh token that was used may come back, for the same successor.
    pub refresh_token_grace: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_token_lifetime: 15 * 60,
            id_token_lifetime: 60 * 60,
            code_lifetime: 60,
            device_code_lifetime: 10 * 60,
            refresh_token_idle: 30 * 86400,
            refresh_token_lifetime: 90 * 86400,
            refresh_token_grace: 30,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// How long a session may lie unused.
    pub idle: u32,
    /// How long a session lasts in all.
    pub lifetime: u32,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: 7 * 86400, lifetime: 30 * 86400 }
    }
}

/// Argon2id's cost, and how much of it may happen at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// KiB a hash.
    pub memory: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Threads that hash; 0: one less than there are cores, at least one.
    pub threads: usize,
    /// Hashes that may wait for a thread; more are refused with 503.
    pub queue: usize,
    /// The least zxcvbn score (0 to 4) of a new password.
    pub min_score: u8,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { memory: 19456, iterations: 2, parallelism: 1, threads: 0, queue: 64, min_score: 2 }
    }
}

/// How many password attempts are free before each further one has to wait longer.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// For one account from one network.
    pub per_account_and_network: u32,
    /// For one account from everywhere, except from browsers it was used in before.
    pub per_account: u32,
    /// From one network, for all accounts.
    pub per_network: u32,
    /// The longest wait. Attempts are remembered twice as long after the last one.
    pub longest_wait: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { per_account_and_network: 5, per_account: 20, per_network: 50, longest_wait: 15 * 60 }
    }
}

impl Tokens {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        let lifetimes = [
            ("access_token_lifetime", self.access_token_lifetime),
            ("id_token_lifetime", self.id_token_lifetime),
            ("code_lifetime", self.code_lifetime),
            ("device_code_lifetime", self.device_code_lifetime),
            ("refresh_token_idle", self.refresh_token_idle),
            ("refresh_token_lifetime", self.refresh_token_lifetime),
        ];
        for (key, seconds) in lifetimes {
            if seconds == 0 {
                mistakes.add(format!("idp.tokens.{key}"), "must be at least 1 second");
            }
        }
        if self.refresh_token_grace > 300 {
            mistakes.add("idp.tokens.refresh_token_grace", "must be at most 300 seconds");
        }
        if self.code_lifetime > 600 {
            mistakes.add("idp.tokens.code_lifetime", "must be at most 600 seconds (RFC 6749 §4.1.2)");
        }
        if self.device_code_lifetime > 1800 {
            // RFC 8628 §5.1: the shorter, the fewer guesses.
            mistakes.add("idp.tokens.device_code_lifetime", "must be at most 1800 seconds");
        }
    }
}
