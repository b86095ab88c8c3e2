//! About who an app is, and how it proves that.

use super::Advice;

pub(super) const ADVICE: &[Advice] = &[
    // Who the client is.
    (
        "Compare the client_id with `latchkey client list`. If it was disabled, `latchkey client enable` lets it in again; if \
         the configuration does not declare it any more, it was disabled at the last start.",
        &[
            "the client is unknown or disabled",
            "its client is unknown or disabled",
            "not a request of a registered client",
        ],
    ),
    (
        "The app has to send client_id: in the query of /authorize, in the form or the Authorization header of /token.",
        &["client_id is missing", "the request names no client"],
    ),
    (
        "The secret that the app has is not the one that was printed when it was registered, or that the configuration \
         declares. If it is lost, remove the client and add it again.",
        &["the secret is wrong"],
    ),
    (
        "Compare how the app authenticates with the client's token_endpoint_auth_method (`latchkey client show`), and change \
         one of the two: secret in the Authorization header (client_secret_basic), in the form (client_secret_post), signed \
         assertion (private_key_jwt), or none.",
        &["the client is registered for another method", "a public client cannot introspect"],
    ),
    (
        "The app has to authenticate in one way: either the Authorization header, or client_secret in the form, or an \
         assertion; and name the same client everywhere.",
        &[
            "the client authenticates in two ways at once",
            "there are two Authorization headers",
            "client_id is another than in the Authorization header",
            "client_id is another than in the assertion",
            "client_assertion and its type do not go together",
        ],
    ),
    (
        "The Authorization header has to be `Basic` with base64 of the form-encoded client_id, a colon and the form-encoded \
         secret (RFC 6749 §2.3.1).",
        &["the Authorization header is not a Basic one"],
    ),
    (
        "Look at the claims of the assertion that the app makes: iss and sub are its client_id, aud is the issuer, exp at most \
         ten minutes ahead, jti new each time. Compare the clocks of both machines (RFC 7523 §3).",
        &[
            "the assertion is not a JWT with the claims of one",
            "the assertion is another client's",
            "the assertion is meant for another server",
            "the assertion has expired",
            "the assertion is good for more than ten minutes",
            "the assertion is of the future",
            "the assertion was used before",
            "jti must have 1 to 255 bytes",
            "exp is no time",
        ],
    ),
    (
        "Register the public keys that the app signs with: `jwks` in the configuration, or `latchkey client add --jwks-file` \
         or `--jwks-uri`.",
        &["the client has registered no keys", "the client's keys cannot be read"],
    ),
    (
        "The jwks_uri of the client or the provider does not answer with a JWK Set, or may not be asked: see the log, and \
         idp.outbound.allowed_addresses.",
        &["the keys at the jwks_uri cannot be fetched"],
    ),
    (
        "What the app signed is not a JWT of the right kind, or not signed by a key that it is registered with. Compare `typ`, \
         `alg` and `kid` in its header with the client's keys and profile (fapi2 rules RS256 out).",
        &[
            "it is not a JWT",
            "its typ is another",
            "its alg is not one that is accepted",
            "its alg is not one of the client's profile",
            "it has critical header parameters, and we know none",
            "no trusted key has signed it as it is",
            "a claim is missing or of the wrong type",
        ],
    ),
    // Registration.
    (
        "Make a token with `latchkey client registration-token`; it is good for as many apps as it says, and until it expires.",
        &["no initial access token that is good for more"],
    ),
    (
        "The app has to send the registration_access_token that it was given when it registered, to the address that it was \
         given with it.",
        &["not the registration access token of this client"],
    ),
    // Token exchange.
    (
        "Add a rule to idp.token_exchange: which client may exchange whose tokens, and for which API.",
        &[
            "no rule lets the client exchange tokens",
            "no rule lets the client exchange this client's tokens for this",
            "the target is not one that a rule allows",
            "neither resource nor audience says which",
        ],
    ),
    (
        "Look at what the service exchanges (RFC 8693 §2.1): subject_token is a person's access token of ours that is in force \
         and not bound to a key, actor_token is the service's own, each with its type.",
        &[
            "subject_token is missing",
            "subject_token is no person's",
            "a token has no type, or one that we do not take",
            "a token is bound to a key",
            "a token is not an access token of ours that is in force",
            "actor_token is another client's, or was exchanged itself",
            "requested_token_type is not one that we give out",
            "too many act one for the other",
        ],
    ),
    // DPoP.
    (
        "Look at the proof that the app makes (RFC 9449 §4.2): typ dpop+jwt, its public key as jwk, htm and htu of this very \
         request (htu as the issuer writes its address), iat of now, jti new each time. Compare the clocks of both machines.",
        &[
            "there is more than one proof",
            "the proof is not a JWT",
            "the proof's typ is not dpop+jwt",
            "the proof brings no public key",
            "the proof's key has no thumbprint",
            "the proof is for another method",
            "the proof is for another address",
            "the proof's iat is no time",
            "the proof is too old, or of the future",
            "the proof's jti must have 1 to 255 bytes",
            "the proof was used before",
            "the proof is for another access token",
        ],
    ),
    (
        "The token is bound to a key: the app has to send it as DPoP, with a proof of that key (RFC 9449 §7.1); and as Bearer \
         if it is not bound.",
        &[
            "it is bound to a key, and was sent as Bearer",
            "it is not bound to a key, and was sent as DPoP",
            "the proof is of another key",
            "there is no proof",
            "dpop_jkt names another key than the proof",
            "this client's tokens are bound to a key, and there is no proof of one",
        ],
    ),
    // Pushed and signed requests.
    (
        "This client has to push its requests to /par and to send only client_id and request_uri to /authorize (RFC 9126).",
        &[
            "this client has to push its requests",
            "only pushed requests have a request_uri",
            "request_uri cannot be pushed",
            "there are both request and request_uri",
        ],
    ),
    (
        "This client has to sign its requests (RFC 9101): `request`, a JWT by a key that it is registered with.",
        &["this client has to sign its requests"],
    ),
    (
        "Look at the claims of the request object that the app makes (RFC 9101 §4): client_id and iss are its id, aud is the \
         issuer, no sub, no request in it, exp ahead; each parameter a text or a number. Compare the clocks of both machines.",
        &[
            "it is another client's",
            "it is meant for another server",
            "it is of the future",
            "it holds another request object",
            "it could be a client assertion: it has a sub (§10.8)",
            "a list in it holds more than texts",
            "a parameter in it is neither text nor number",
            "a time in it is no number of seconds",
        ],
    ),
];
