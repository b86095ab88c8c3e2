//! About what an app asks for, and with what.

use super::Advice;

pub(super) const ADVICE: &[Advice] = &[
    // Where answers go.
    (
        "The app sent a redirect_uri that is not registered. They are compared byte for byte (only the port of 127.0.0.1 and \
         [::1] may be another): add what it sent to the client's redirect_uris, or correct the app.",
        &["redirect_uri is not registered", "redirect_uri does not fit a header"],
    ),
    (
        "The app has to send redirect_uri, once.",
        &["redirect_uri is missing", "client_id or redirect_uri was sent twice"],
    ),
    (
        "At /token the app has to send the very redirect_uri that it sent to /authorize.",
        &["the redirect_uri is another than the code was sent to"],
    ),
    // Form of requests.
    (
        "Something between the app and Latchkey has sent a parameter twice, or one that is far too long or not UTF-8.",
        &[
            "a parameter was sent twice or is malformed",
            "a parameter is malformed or sent twice",
            "a parameter is missing, malformed or sent twice",
            "a parameter is missing or malformed",
            "a logout parameter was sent twice or is malformed",
        ],
    ),
    (
        "The body has to be a form: Content-Type application/x-www-form-urlencoded.",
        &["the body is not a form", "the body is not a form that fits"],
    ),
    (
        "The app left out a parameter that the request needs (RFC 6749 §4.1.3, RFC 7009 §2.1, RFC 8628 §3.4).",
        &["grant_type is missing", "token is missing", "device_code is missing", "response_type is missing"],
    ),
    ("The app has to ask for `response_type=code`; nothing else is given.", &["response_type is not code"]),
    (
        "The app sent a value that OpenID Connect Core does not know for this parameter; correct the app.",
        &[
            "response_mode is neither query nor form_post",
            "prompt has an unknown value, or none beside another",
            "max_age is not a number of seconds",
            "claims is not a JSON object of the right form",
            "dpop_jkt is not the thumbprint of a key",
        ],
    ),
    (
        "The app asks for a grant type that it is not registered for: compare with grant_types in `latchkey client show`.",
        &[
            "the client is not registered for this grant type",
            "the client is not registered for authorization_code",
            "not for this client",
            "a public client cannot act as itself",
            "unsupported_grant_type",
        ],
    ),
    // Scope and audience.
    (
        "The app asks for a scope that it is not registered for, or that was not granted: compare with scope in `latchkey \
         client show`.",
        &[
            "none of the scopes may be asked for by this client",
            "more than this client may ask for",
            "this client has no scope of its own",
            "scope is malformed or more than was granted",
            "scope is malformed, or more than the token has or the client may ask for",
        ],
    ),
    (
        "A scope is words of visible ASCII characters, separated by single spaces.",
        &["scope has characters that it may not", "scope is malformed"],
    ),
    (
        "Declare the API in idp.resources, or make it the client's audience; `resource` has to name it exactly as there.",
        &["resource is not one that tokens are given for", "the resource was not granted"],
    ),
    // PKCE.
    (
        "The app has to send code_challenge and code_challenge_method=S256 to /authorize, and the code_verifier that they come \
         from to /token (RFC 7636). A confidential client that cannot may be declared with require_pkce = false.",
        &[
            "PKCE with S256 is required",
            "code_challenge_method came without code_challenge",
            "code_challenge is not 43 base64url characters",
            "code_verifier came without code_challenge",
            "code_verifier is not 43 to 128 unreserved characters",
            "the code was given without PKCE",
        ],
    ),
    (
        "The code_verifier is not the one that the code_challenge was made of: the app mixes up two log-ins (two tabs?), or \
         somebody else's code was slipped to it.",
        &["code_verifier does not match code_challenge"],
    ),
    // Codes and tokens.
    (
        "The code was never given out, or so long ago that nothing of it is left. If it happens to everybody, the app talks to \
         another Latchkey at /token than at /authorize.",
        &["the code is unknown"],
    ),
    (
        "A code is good once. The app sent it twice (a reloaded page, a retry, a proxy that repeats requests), or somebody else \
         has it: what came of it has ended, and the person logs in again.",
        &["the code was already redeemed"],
    ),
    (
        "Look at the times above: codes are good for idp.tokens.code_lifetime. Otherwise the session has ended, somebody was \
         disabled meanwhile, or the code is bound to another DPoP key.",
        &["the code has expired, is another key's, or its user, client or session has ended"],
    ),
    (
        "The refresh token was never given out, or was removed long after its end. The app has to log the person in again.",
        &["the refresh token is unknown"],
    ),
    (
        "A refresh token that was replaced came back after idp.tokens.refresh_token_grace: the app kept an old one (a restored \
         backup, two processes that do not share what they store), or somebody has stolen one. All of this log-in's tokens \
         have ended, and the person logs in again.",
        &["the refresh token was used before"],
    ),
    (
        "Look at the times above. Otherwise the session has ended (log-out; only offline_access outlives it), somebody was \
         disabled, or the token is bound to another DPoP key. The app has to log the person in again.",
        &["the refresh token has expired, is another key's, or its user, client or session has ended"],
    ),
    (
        "The app presents something that another client was given: two apps share what they store, or a token was stolen.",
        &[
            "the grant is another client's",
            "the refresh token is another client's",
            "the token is another client's",
        ],
    ),
    // Access tokens.
    ("The request came without an access token: `Authorization: Bearer <token>`.", &["no access token"]),
    (
        "The access token is too old, or what it came from has ended: the app has to refresh it, or to log the person in again.",
        &[
            "it has expired",
            "it was revoked",
            "its grant, user, client or session has ended",
            "its user is gone",
        ],
    ),
    (
        "It was not signed by a key of this ring for this issuer: it is another provider's, or older than the last \
         `latchkey keys rotate --now`.",
        &[
            "it names no key",
            "its key is not in the ring",
            "its signature or issuer is not ours",
            "its claims are not those of its type",
        ],
    ),
    ("The app has to ask for the scope openid to be told about people.", &["openid is needed"]),
    ("Send the access token once: in the header or in the form.", &["there is more than one access token"]),
];
