-- The identity provider's tables. The SQLite set differs in column types only; a test compares them.
-- Times are UTC in microseconds. Hashes are SHA-256 of values that only their holder knows.

CREATE TABLE users (
    id               UUID NOT NULL PRIMARY KEY, -- the `sub` of every token
    email            TEXT NOT NULL, -- as typed
    email_normalized TEXT NOT NULL,
    email_verified   BOOLEAN NOT NULL,
    name             TEXT NOT NULL,
    password_hash    TEXT NOT NULL, -- PHC string
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL,
    disabled_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX users_email_normalized ON users (email_normalized);

CREATE TABLE sessions (
    id           UUID NOT NULL PRIMARY KEY, -- the `sid` of tokens
    token_hash   BYTEA NOT NULL, -- of the cookie's value
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time    TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL, -- however often it is used
    ended_at     TIMESTAMPTZ
);
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Registered clients, RFC 7591 names. Lists are space-separated.
CREATE TABLE clients (
    id                         TEXT NOT NULL PRIMARY KEY, -- client_id
    name                       TEXT NOT NULL,
    secret_hash                BYTEA, -- NULL for public clients
    token_endpoint_auth_method TEXT NOT NULL,
    redirect_uris              TEXT NOT NULL,
    post_logout_redirect_uris  TEXT NOT NULL,
    grant_types                TEXT NOT NULL,
    scope                      TEXT NOT NULL, -- all it may ask for
    audience                   TEXT NOT NULL, -- of its access tokens when it names no `resource`; may be empty
    first_party                BOOLEAN NOT NULL, -- no consent asked
    require_pkce               BOOLEAN NOT NULL,
    declared                   BOOLEAN NOT NULL, -- comes from the configuration file
    created_at                 TIMESTAMPTZ NOT NULL,
    disabled_at                TIMESTAMPTZ
);

-- What a person remembers to have allowed a client.
CREATE TABLE consents (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope      TEXT NOT NULL,
    granted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- One authorization: what a code, its refresh tokens (the family) and its access tokens come from.
CREATE TABLE grants (
    id         UUID NOT NULL PRIMARY KEY,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    offline    BOOLEAN NOT NULL, -- outlives the session: `offline_access` was granted
    scope      TEXT NOT NULL,
    audience   TEXT NOT NULL, -- space-separated
    auth_time  TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL, -- however often it is refreshed
    revoked_at TIMESTAMPTZ
);
CREATE INDEX grants_user_id ON grants (user_id);
CREATE INDEX grants_client_id ON grants (client_id);
CREATE INDEX grants_session_id ON grants (session_id);
CREATE INDEX grants_expires_at ON grants (expires_at);

-- The one gate: nothing is issued, refreshed or shown from a grant that is not here. Idle and absolute
-- limits of the session are compared with the clock by whoever asks.
CREATE VIEW live_grants AS
SELECT grants.id, grants.client_id, grants.user_id, grants.session_id, grants.offline, grants.scope,
       grants.audience, grants.auth_time, grants.expires_at,
       sessions.last_seen_at AS session_seen_at, sessions.expires_at AS session_expires_at
FROM grants
JOIN users ON users.id = grants.user_id AND users.disabled_at IS NULL
JOIN clients ON clients.id = grants.client_id AND clients.disabled_at IS NULL
JOIN sessions ON sessions.id = grants.session_id AND (grants.offline OR sessions.ended_at IS NULL)
WHERE grants.revoked_at IS NULL;

CREATE TABLE authorization_codes (
    code_hash      BYTEA NOT NULL PRIMARY KEY,
    grant_id       UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id      TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT, -- S256
    nonce          TEXT,
    expires_at     TIMESTAMPTZ NOT NULL,
    consumed_at    TIMESTAMPTZ
);
CREATE INDEX authorization_codes_grant_id ON authorization_codes (grant_id);
CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at);

CREATE TABLE refresh_tokens (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    grant_id   UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    rotated_at TIMESTAMPTZ
);
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- Access tokens that were revoked one by one (RFC 7009), until they would have expired.
CREATE TABLE revoked_access_tokens (
    jti        TEXT NOT NULL PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX revoked_access_tokens_expires_at ON revoked_access_tokens (expires_at);

-- Authorization requests that wait for a person to log in or to consent, in one browser.
CREATE TABLE authorization_requests (
    handle_hash BYTEA NOT NULL PRIMARY KEY,
    browser     BYTEA NOT NULL,
    parameters  TEXT NOT NULL, -- as they were sent, form-encoded
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX authorization_requests_expires_at ON authorization_requests (expires_at);

-- Counted attempts, shared by all nodes.
CREATE TABLE throttles (
    key        BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of what is counted
    attempts   BIGINT NOT NULL,
    last_at    TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX throttles_expires_at ON throttles (expires_at);
