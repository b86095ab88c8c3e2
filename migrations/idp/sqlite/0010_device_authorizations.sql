-- Device Authorization Grant, RFC 8628: what a device asks for while a person decides on another one.

CREATE TABLE device_authorizations (
    device_code_hash BLOB NOT NULL PRIMARY KEY,
    user_code_hash   BLOB NOT NULL, -- keyed: a user code is too short for a plain hash
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope            TEXT NOT NULL,
    audience         TEXT NOT NULL, -- space-separated
    address          TEXT NOT NULL, -- that it was asked from
    created_at       TEXT NOT NULL,
    expires_at       TEXT NOT NULL,
    poll_interval    INTEGER NOT NULL, -- seconds
    polled_at        TEXT,
    session_id       BLOB REFERENCES sessions (id) ON DELETE CASCADE, -- in which the user code was entered
    decided_at       TEXT,
    grant_id         BLOB REFERENCES grants (id) ON DELETE CASCADE, -- once it was allowed
    consumed_at      TEXT
) STRICT;
CREATE UNIQUE INDEX device_authorizations_user_code_hash ON device_authorizations (user_code_hash);
CREATE INDEX device_authorizations_session_id ON device_authorizations (session_id);
CREATE INDEX device_authorizations_grant_id ON device_authorizations (grant_id);
CREATE INDEX device_authorizations_expires_at ON device_authorizations (expires_at);
