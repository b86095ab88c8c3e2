-- Device Authorization Grant, RFC 8628: what a device asks for while a person decides on another one.

CREATE TABLE device_authorizations (
    device_code_hash BYTEA NOT NULL PRIMARY KEY,
    user_code_hash   BYTEA NOT NULL, -- keyed: a user code is too short for a plain hash
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope            TEXT NOT NULL,
    audience         TEXT NOT NULL, -- space-separated
    address          TEXT NOT NULL, -- that it was asked from
    created_at       TIMESTAMPTZ NOT NULL,
    expires_at       TIMESTAMPTZ NOT NULL,
    poll_interval    BIGINT NOT NULL, -- seconds
    polled_at        TIMESTAMPTZ,
    session_id       UUID REFERENCES sessions (id) ON DELETE CASCADE, -- in which the user code was entered
    decided_at       TIMESTAMPTZ,
    grant_id         UUID REFERENCES grants (id) ON DELETE CASCADE, -- once it was allowed
    consumed_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX device_authorizations_user_code_hash ON device_authorizations (user_code_hash);
CREATE INDEX device_authorizations_session_id ON device_authorizations (session_id);
CREATE INDEX device_authorizations_grant_id ON device_authorizations (grant_id);
CREATE INDEX device_authorizations_expires_at ON device_authorizations (expires_at);
