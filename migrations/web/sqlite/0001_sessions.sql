-- A person who is logged in, in one browser. The cookie holds the id; only its hash is here.
CREATE TABLE sessions (
    id_hash BLOB NOT NULL PRIMARY KEY,
    -- Who it is, and their tokens: AES-256-GCM under a key derived from the id, which is not here.
    sealed BLOB NOT NULL,
    -- Counts refreshes, so that of two that race one is kept.
    version INTEGER NOT NULL,
    access_token_expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_last_seen_at ON sessions (last_seen_at);

-- A log-in that is under way at the identity provider. Spent by the callback.
CREATE TABLE logins (
    state_hash BLOB NOT NULL PRIMARY KEY,
    -- The browser that began it, and the only one that may finish it.
    browser BLOB NOT NULL,
    nonce TEXT NOT NULL,
    code_verifier TEXT NOT NULL,
    return_to TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX logins_expires_at ON logins (expires_at);
