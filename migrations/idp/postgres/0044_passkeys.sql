-- Passkeys (Web Authentication): public keys whose private ones somebody's authenticators hold.

CREATE TABLE passkeys (
    id            UUID NOT NULL PRIMARY KEY,
    credential_id BYTEA NOT NULL, -- the authenticator's name of it
    user_id       UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    credential    TEXT NOT NULL, -- JSON: the public key, the counter, what it is capable of
    backed_up     BOOLEAN NOT NULL, -- it is on more than one device
    created_at    TIMESTAMPTZ NOT NULL,
    last_used_at  TIMESTAMPTZ
);
CREATE UNIQUE INDEX passkeys_credential_id ON passkeys (credential_id);
CREATE INDEX passkeys_user_id ON passkeys (user_id);

-- Challenges that an authenticator has not answered yet, each for one purpose in one browser.
CREATE TABLE passkey_ceremonies (
    challenge_hash BYTEA NOT NULL PRIMARY KEY,
    browser        BYTEA NOT NULL,
    purpose        TEXT NOT NULL, -- `add`, `log_in` or `second`
    user_id        UUID REFERENCES users (id) ON DELETE CASCADE, -- NULL as long as nobody knows who logs in
    state          TEXT NOT NULL, -- JSON: what the answer is held against
    expires_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX passkey_ceremonies_user_id ON passkey_ceremonies (user_id);
CREATE INDEX passkey_ceremonies_expires_at ON passkey_ceremonies (expires_at);
