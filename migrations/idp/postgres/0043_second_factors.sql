-- Second factors: an authenticator app (RFC 6238), and recovery codes. A client can demand one of everybody.

CREATE TABLE totp_secrets (
    user_id    UUID NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret     BYTEA NOT NULL, -- encrypted, for this user
    last_step  BIGINT NOT NULL, -- the time step of the last code that was accepted
    created_at TIMESTAMPTZ NOT NULL
);

-- Shown in a browser, and not confirmed by a first code yet.
CREATE TABLE totp_setups (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser    BYTEA NOT NULL,
    secret     BYTEA NOT NULL, -- encrypted, for this user
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, browser)
);
CREATE INDEX totp_setups_expires_at ON totp_setups (expires_at);

CREATE TABLE recovery_codes (
    code_hash  BYTEA NOT NULL PRIMARY KEY, -- keyed
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX recovery_codes_user_id ON recovery_codes (user_id);

ALTER TABLE clients ADD COLUMN require_second_factor BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE sign_ins ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0; -- at a further factor
