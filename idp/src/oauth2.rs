//! OAuth 2.0: RFC 6749 and what has grown around it. `oxide_auth` is named only in here.

pub mod access_token;
pub mod approval;
pub mod authorize;
pub mod client_assertion;
pub mod client_auth;
pub mod device;
pub mod dpop;
pub mod error;
pub mod introspect;
mod machine;
pub mod par;
pub mod parameters;
pub mod pending;
pub mod published_keys;
pub mod redirect_uri;
pub mod register;
pub mod request_object;
pub mod revoke;
pub mod scope;
pub mod token;
pub mod user_code;
