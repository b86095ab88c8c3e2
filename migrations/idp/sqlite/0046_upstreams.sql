-- Log-in by other providers.

-- Who is on their way to a provider, and has to come back in the same browser.
CREATE TABLE upstream_sign_ins (
    state_hash    BLOB NOT NULL PRIMARY KEY,
    browser       BLOB NOT NULL,
    upstream      TEXT NOT NULL, -- its id in the configuration
    nonce         TEXT NOT NULL,
    code_verifier TEXT NOT NULL,
    journey       TEXT NOT NULL, -- what the page carried that it began on, form-encoded
    user_id       BLOB REFERENCES users (id) ON DELETE CASCADE, -- who wants to link what comes back
    max_age       INTEGER, -- seconds: how long ago they may have proved there who they are
    created_at    TEXT NOT NULL,
    expires_at    TEXT NOT NULL
) STRICT;
CREATE INDEX upstream_sign_ins_user_id ON upstream_sign_ins (user_id);
CREATE INDEX upstream_sign_ins_expires_at ON upstream_sign_ins (expires_at);

-- Who somebody is elsewhere.
CREATE TABLE upstream_identities (
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    user_id      BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label        TEXT NOT NULL, -- what the person knows it by: the address or the name there when it was linked
    created_at   TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX upstream_identities_user_id ON upstream_identities (user_id);

-- Who has come from a provider and is nobody's identity yet, while the person decides whose.
CREATE TABLE upstream_arrivals (
    handle_hash    BLOB NOT NULL PRIMARY KEY,
    browser        BLOB NOT NULL,
    upstream       TEXT NOT NULL,
    issuer         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    name           TEXT NOT NULL, -- may be empty
    email          TEXT, -- as the provider says it
    email_verified INTEGER NOT NULL,
    journey        TEXT NOT NULL,
    user_id        BLOB REFERENCES users (id) ON DELETE CASCADE, -- who asked to link it
    expires_at     TEXT NOT NULL
) STRICT;
CREATE INDEX upstream_arrivals_user_id ON upstream_arrivals (user_id);
CREATE INDEX upstream_arrivals_expires_at ON upstream_arrivals (expires_at);
