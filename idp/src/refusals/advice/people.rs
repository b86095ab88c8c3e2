//! About people, and about too much.

use super::Advice;

pub(super) const ADVICE: &[Advice] = &[
    // What people did, and what apps asked of them.
    (
        "Nothing is wrong: the person said no. The app has to go on without.",
        &["the person cancelled", "the person refused consent", "the person refused"],
    ),
    (
        "Nothing is wrong: the app asked with prompt=none, and has to ask again without it.",
        &["prompt=none, but the person would have to be asked"],
    ),
    (
        "The app expects somebody else than who is logged in: it asks again without id_token_hint and claims.",
        &[
            "another person than id_token_hint names",
            "id_token_hint is not an ID token of ours",
            "id_token_hint and claims name different people",
            "claims asks for a sub that nobody has",
        ],
    ),
    (
        "The app insists on a way to log in that is not offered: compare with acr_values_supported in the metadata.",
        &["an essential acr is not one that we give"],
    ),
    // Devices.
    (
        "The device has to ask for a new code: nobody decided in time, or the code was used or never given out.",
        &[
            "nobody decided in time",
            "the device code is unknown or used, or its user, client or session has ended",
        ],
    ),
    (
        "The device polls too often: it has to wait for `interval`, and five seconds more after each slow_down.",
        &["slow_down"],
    ),
    // Too much.
    (
        "Too much came from one network or for one account. It ends by itself; the limits are idp.throttle. If everybody seems to \
         come from one address, idp.trusted_proxies does not name the proxy in front.",
        &[
            "throttle",
            "too many registrations from one network",
            "too much was asked for from one network: clients that nobody knew, or codes for devices",
            "too many documents of clients are being fetched",
        ],
    ),
    (
        "More people log in at once than passwords can be hashed: see idp.passwords.threads and idp.passwords.queue.",
        &["too many passwords are waiting to be hashed or judged"],
    ),
    ("What was sent is larger than is read.", &["the body is too large"]),
    // Pages.
    (
        "Nobody has this address, or the password is another: which of the two is not told. The person can have the password \
         replaced (`latchkey user set-password`).",
        &["password"],
    ),
    (
        "The code of an authenticator app or a recovery code was wrong, or had been used. The clock of the phone or of this \
         machine may be wrong; `latchkey user reset-second-factors` lets the person begin anew.",
        &["second factor"],
    ),
    (
        "The passkey is unknown, was made for another address of this place, is a copy, or answered too late. The log says which \
         under the same id. The person logs in another way and adds a new one.",
        &["passkey", "credential taken"],
    ),
    (
        "The mailed code was wrong, has expired, or was tried too often: the person asks for a new one.",
        &["mailed code"],
    ),
    (
        "The link was used, has expired, or was replaced by a newer one, a new password or a new address: the person asks for \
         another.",
        &["the link is not good any more"],
    ),
    (
        "What was named is not there, or is another person's. Nothing was changed.",
        &["nothing of this person's"],
    ),
    (
        "The person would have no way to log in any more. Another one comes first: a password, a passkey.",
        &["last way in"],
    ),
    (
        "Whoever came from the other provider is linked to another account already: they log in to that one, or unlink it there.",
        &["taken"],
    ),
    (
        "idp.sign_up or allow_sign_up of the provider is false: accounts are made with `latchkey user add`.",
        &["sign-up closed"],
    ),
    ("This person is disabled. `latchkey user enable` lets them in again.", &["disabled"]),
    ("The password was changed while it was being compared. The person tries again.", &["changed meanwhile"]),
    ("Somebody has an account with this address already.", &["address taken"]),
    ("The code is unknown, has expired or was answered already: the device shows a new one.", &["user code"]),
    ("idp.sign_up is false: accounts are made with `latchkey user add`.", &["sign-up is closed"]),
    (
        "The log-in took longer than it may, was finished in another tab, or goes on in another browser than it began in: the \
         person starts again from the app.",
        &["the pending authorization request is gone"],
    ),
    (
        "The form was not posted by the page that we gave out: the browser keeps no cookies, the page was open for very long, or \
         another site tried. If it happens to everybody, idp.issuer is not the address that people see.",
        &["the form was posted from another site", "the form's token is missing or not this browser's"],
    ),
    (
        "Nothing is wrong: the app makes the proof again, with the nonce that it was told (RFC 9449 §8).",
        &["the proof has none of ours, or an old one"],
    ),
    (
        "This is a mistake of Latchkey's own. Please tell its makers.",
        &[
            "oxide-auth does not know the client",
            "it could not be signed",
            "the ring has no key for its algorithm",
            "the state machine was misused",
        ],
    ),
];
