//! What an endpoint is, and what specifications let it answer.

/// Who speaks the answers that are refusals.
#[derive(Clone, Copy, Debug)]
pub enum Speaks {
    /// RFC 6749 §5.2, with one of these codes.
    Json(&'static [&'static str]),
    /// RFC 6750 §3.
    Bearer,
    /// Pages for people; what clients are told by redirect has one of these codes.
    Pages,
    /// The same for everybody.
    Documents,
}

/// How the request proves from whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Nobody,
    /// `web`, with its secret.
    Client,
    /// An access token of `web`.
    Token,
    /// A browser in which somebody is logged in.
    Person,
}

#[derive(Debug)]
pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    pub by: By,
    pub speaks: Speaks,
    /// The status that the good request gets.
    pub good: u16,
    /// In the query of a GET, in the form of a POST. `World::fill` knows what is in braces.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// RFC 6749 §5.2, RFC 8707 §2, RFC 8628 §3.5, RFC 9449 §5 and §8.
pub const TOKEN: Speaks = Speaks::Json(&[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "invalid_dpop_proof",
    "use_dpop_nonce",
]);
/// RFC 8628 §3.2 has no more than these.
pub const DEVICE: Speaks = Speaks::Json(&[
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_target",
]);
/// RFC 7009 §2.2.1.
pub const REVOKE: Speaks = Speaks::Json(&[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_token_type",
]);
/// RFC 7662 §2.3.
pub const INTROSPECT: Speaks = Speaks::Json(&["invalid_request", "invalid_client", "unauthorized_client"]);
/// RFC 9126 §2.3: those of the token endpoint's authentication and proof (RFC 9449 §10.1), and what a browser would be
/// sent back with.
pub const PUSH: Speaks = Speaks::Json(&PUSH_ERRORS);
const PUSH_ERRORS: [&str; 15] = [
    "invalid_client",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "consent_required",
    "unmet_authentication_requirements",
    "request_not_supported",
    "request_uri_not_supported",
    "invalid_request_object",
];
/// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6: the same without what only a machine can hear.
pub const REDIRECTED: &[&str] = PUSH_ERRORS.split_at(3).1;

pub const fn post(
    path: &'static str,
    by: By,
    speaks: Speaks,
    good: u16,
    parameters: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint { method: "POST", path, by, speaks, good, parameters }
}

pub const fn page(
    method: &'static str,
    path: &'static str,
    by: By,
    good: u16,
    parameters: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint { method, path, by, speaks: Speaks::Pages, good, parameters }
}

pub const fn document(path: &'static str) -> Endpoint {
    Endpoint { method: "GET", path, by: By::Nobody, speaks: Speaks::Documents, good: 200, parameters: &[] }
}
