//! How many factors a request asks for: `acr_values` (OpenID Connect Core §3.1.2.1, RFC 9470 §4), an essential `acr`
//! in `claims` (§5.5.1.1), and what its client is held to.

use crate::{
    account::factors::{ACR_ONE_FACTOR, ACR_TWO_FACTORS},
    store::clients::Client,
};

/// Of whom a second factor is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    No,
    /// §3.1.2.1: `acr_values` are wishes. Who has a second factor is asked for it.
    OfThoseWhoHaveOne,
    /// Who has none sets one up.
    OfEverybody,
}

impl Demand {
    /// `None` when an essential `acr` is not one that we give. What is worth more is not refused for it: who has two
    /// factors has one.
    #[must_use]
    pub fn of(client: &Client, essential: Option<&[String]>, acr_values: Option<&str>) -> Option<Self> {
        let essential = match essential {
            None => Self::No,
            Some(values) if values.iter().any(|acr| acr == ACR_ONE_FACTOR) => Self::No,
            Some(values) if values.iter().any(|acr| acr == ACR_TWO_FACTORS) => Self::OfEverybody,
            Some(_) => return None,
        };
        if client.require_second_factor || essential == Self::OfEverybody {
            return Some(Self::OfEverybody);
        }
        let wished =
            |acr| acr_values.is_some_and(|values| values.split_ascii_whitespace().any(|value| value == acr));
        let both = wished(ACR_TWO_FACTORS) && !wished(ACR_ONE_FACTOR);
        Some(if both { Self::OfThoseWhoHaveOne } else { Self::No })
    }
}
