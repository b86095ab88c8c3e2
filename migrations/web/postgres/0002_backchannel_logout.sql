-- What the provider calls a session and its person, to end it by (OpenID Connect Back-Channel Logout 1.0). SHA-256:
-- who is logged in is not for readers of this database. NULL: from before this.
ALTER TABLE sessions ADD COLUMN sid_hash BYTEA;
ALTER TABLE sessions ADD COLUMN subject_hash BYTEA;
CREATE INDEX sessions_sid_hash ON sessions (sid_hash);
CREATE INDEX sessions_subject_hash ON sessions (subject_hash);

-- Logout tokens that were taken, until they would have expired: each is good once.
CREATE TABLE logout_tokens (
    jti_hash   BYTEA NOT NULL PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX logout_tokens_expires_at ON logout_tokens (expires_at);
