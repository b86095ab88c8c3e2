//! Every endpoint with a request that is good, and what its specification lets it answer.

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

/// RFC 6749 §5.2, RFC 8707 §2.
const TOKEN: Speaks = Speaks::Json(&[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
]);
/// RFC 7009 §2.2.1.
const REVOKE: Speaks = Speaks::Json(&[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_token_type",
]);
/// RFC 7662 §2.3.
const INTROSPECT: Speaks = Speaks::Json(&["invalid_request", "invalid_client", "unauthorized_client"]);
/// RFC 9126 §2.3: those of the token endpoint's authentication, and what a browser would be sent back with.
const PUSH: Speaks = Speaks::Json(&PUSH_ERRORS);
const PUSH_ERRORS: [&str; 13] = [
    "invalid_client",
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
pub const REDIRECTED: &[&str] = PUSH_ERRORS.split_at(1).1;

const REQUEST: [(&str, &str); 8] = [
    ("response_type", "code"),
    ("client_id", "web"),
    ("redirect_uri", "https://web.example/cb"),
    ("scope", "openid profile email tasks:read"),
    ("state", "a-state"),
    ("nonce", "a-nonce"),
    ("code_challenge", "{challenge}"),
    ("code_challenge_method", "S256"),
];
const MORE: [(&str, &str); 15] = [
    ("response_type", "code"),
    ("client_id", "web"),
    ("redirect_uri", "https://web.example/cb"),
    ("scope", "openid"),
    ("state", "a-state"),
    ("response_mode", "form_post"),
    ("max_age", "1000"),
    ("ui_locales", "en"),
    ("id_token_hint", "{id_token}"),
    ("login_hint", "somebody@example.com"),
    ("acr_values", "urn:latchkey:acr:password"),
    (
        "claims",
        r#"{"userinfo":{"name":null},"id_token":{"acr":{"essential":true,"values":["urn:latchkey:acr:password"]}}}"#,
    ),
    ("resource", "https://api.example"),
    ("display", "page"),
    ("registration", ""),
];

const ASKED: [(&str, &str); 5] = [
    ("response_type", "code"),
    ("client_id", "shop"),
    ("redirect_uri", "https://shop.example/cb"),
    ("scope", "openid email"),
    ("prompt", "consent login"),
];

const fn post(
    path: &'static str,
    by: By,
    speaks: Speaks,
    good: u16,
    parameters: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint { method: "POST", path, by, speaks, good, parameters }
}

const fn page(
    method: &'static str,
    path: &'static str,
    by: By,
    good: u16,
    parameters: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint { method, path, by, speaks: Speaks::Pages, good, parameters }
}

const fn document(path: &'static str) -> Endpoint {
    Endpoint { method: "GET", path, by: By::Nobody, speaks: Speaks::Documents, good: 200, parameters: &[] }
}

pub const ENDPOINTS: &[Endpoint] = &[
    document("/.well-known/openid-configuration"),
    document("/.well-known/oauth-authorization-server"),
    document("/jwks"),
    page("GET", "/authorize", By::Person, 303, &REQUEST),
    page("GET", "/authorize", By::Nobody, 303, &REQUEST),
    page("GET", "/authorize", By::Person, 200, &MORE),
    page("GET", "/authorize", By::Person, 303, &[("client_id", "web"), ("request_uri", "{request_uri}")]),
    page("GET", "/authorize", By::Person, 303, &ASKED),
    page("POST", "/authorize", By::Person, 303, &REQUEST),
    page("POST", "/authorize", By::Nobody, 303, &MORE),
    page("GET", "/authorize/resume", By::Person, 303, &[("request", "{consent}")]),
    page(
        "POST",
        "/authorize/cancel",
        By::Person,
        303,
        &[("form_token", "{form_token}"), ("request", "{log_in}")],
    ),
    post("/par", By::Client, PUSH, 201, &REQUEST),
    post("/par", By::Client, PUSH, 201, &MORE),
    post(
        "/token",
        By::Client,
        TOKEN,
        200,
        &[
            ("grant_type", "authorization_code"),
            ("code", "{code}"),
            ("redirect_uri", "https://web.example/cb"),
            ("code_verifier", "{verifier}"),
            ("resource", "https://api.example"),
        ],
    ),
    post(
        "/token",
        By::Client,
        TOKEN,
        200,
        &[("grant_type", "refresh_token"), ("refresh_token", "{refresh_token}"), ("scope", "openid")],
    ),
    post(
        "/token",
        By::Nobody,
        TOKEN,
        200,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "tasks:read"),
            ("resource", "https://api.example"),
            ("client_id", "machine"),
            ("client_secret", "{secret}"),
        ],
    ),
    post(
        "/revoke",
        By::Client,
        REVOKE,
        200,
        &[("token", "{access_token}"), ("token_type_hint", "access_token")],
    ),
    post(
        "/revoke",
        By::Client,
        REVOKE,
        200,
        &[("token", "{refresh_token}"), ("token_type_hint", "refresh_token")],
    ),
    post("/introspect", By::Client, INTROSPECT, 200, &[("token", "{access_token}")]),
    post(
        "/introspect",
        By::Client,
        INTROSPECT,
        200,
        &[("token", "{refresh_token}"), ("token_type_hint", "x")],
    ),
    Endpoint {
        method: "GET",
        path: "/userinfo",
        by: By::Token,
        speaks: Speaks::Bearer,
        good: 200,
        parameters: &[],
    },
    post("/userinfo", By::Nobody, Speaks::Bearer, 200, &[("access_token", "{access_token}")]),
    page("GET", "/", By::Nobody, 200, &[]),
    page("GET", "/account", By::Person, 200, &[]),
    page("GET", "/login", By::Nobody, 200, &[]),
    page("GET", "/login", By::Person, 200, &[("request", "{log_in}")]),
    page(
        "POST",
        "/login",
        By::Person,
        303,
        &[
            ("form_token", "{form_token}"),
            ("request", "{log_in}"),
            ("email", "{email}"),
            ("password", "{password}"),
        ],
    ),
    page("GET", "/signup", By::Person, 200, &[("request", "{log_in}")]),
    page(
        "POST",
        "/signup",
        By::Person,
        303,
        &[
            ("form_token", "{form_token}"),
            ("request", "{log_in}"),
            ("name", "Somebody New"),
            ("email", "{new_email}"),
            ("password", "{password}"),
        ],
    ),
    page(
        "POST",
        "/signup/strength",
        By::Person,
        200,
        &[("form_token", "{form_token}"), ("name", "Ada"), ("email", "{email}"), ("password", "{password}")],
    ),
    page("GET", "/consent", By::Person, 200, &[("request", "{consent}")]),
    page(
        "POST",
        "/consent",
        By::Person,
        303,
        &[("form_token", "{form_token}"), ("request", "{consent}"), ("decision", "allow")],
    ),
    page(
        "GET",
        "/logout",
        By::Person,
        200,
        &[
            ("id_token_hint", "{others_id_token}"),
            ("client_id", "other"),
            ("post_logout_redirect_uri", "https://other.example/bye"),
            ("state", "a-state"),
        ],
    ),
    page("POST", "/logout", By::Nobody, 303, &[("id_token_hint", "{id_token}"), ("state", "a-state")]),
    page(
        "POST",
        "/logout/confirm",
        By::Person,
        303,
        &[
            ("form_token", "{form_token}"),
            ("id_token_hint", "{id_token}"),
            ("post_logout_redirect_uri", "https://web.example/bye"),
        ],
    ),
];
