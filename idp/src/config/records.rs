//! How long it is known what happened.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// How long events are kept; 0: for ever.
    pub retention: u32,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention: 400 * 86400 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusals {
    /// How long a refused request can be explained; 0: not at all.
    pub retention: u32,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { retention: 14 * 86400 }
    }
}
