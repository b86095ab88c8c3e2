-- Pushed Authorization Requests, RFC 9126.

ALTER TABLE clients ADD COLUMN require_pushed_authorization_requests BOOLEAN NOT NULL DEFAULT FALSE;

-- What a client wants to ask a person for, told by the client itself. Each is good once.
CREATE TABLE pushed_authorization_requests (
    handle_hash BYTEA NOT NULL PRIMARY KEY,
    client_id   TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    parameters  TEXT NOT NULL, -- form-encoded, without the client's credentials
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX pushed_authorization_requests_expires_at ON pushed_authorization_requests (expires_at);
