-- Dynamic client registration, RFC 7591 and RFC 7592.

-- What allows an app to register itself.
CREATE TABLE initial_access_tokens (
    token_hash BLOB NOT NULL PRIMARY KEY,
    uses_left  INTEGER NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX initial_access_tokens_expires_at ON initial_access_tokens (expires_at);

-- Clients that have registered themselves.
CREATE TABLE client_registrations (
    client_id  TEXT NOT NULL PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    token_hash BLOB NOT NULL, -- of what it manages its registration with
    metadata   TEXT NOT NULL, -- JSON: all that it has registered
    issued_at  TEXT NOT NULL
) STRICT;
