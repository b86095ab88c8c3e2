//! OpenID Connect: Core 1.0, Discovery 1.0, RP-Initiated and Back-Channel Logout 1.0.

pub mod backchannel_logout;
pub mod claims;
pub mod discovery;
pub mod document;
pub mod id_token;
pub mod jwks;
pub mod logout;
pub mod standard_claims;
pub mod userinfo;
