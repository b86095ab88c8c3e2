-- Second factors: an authenticator app (RFC 6238), and recovery codes. A client can demand one of everybody.

CREATE TABLE totp_secrets (
    user_id    BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret     BLOB NOT NULL, -- encrypted, for this user
    last_step  INTEGER NOT NULL, -- the time step of the last code that was accepted
    created_at TEXT NOT NULL
) STRICT;

-- Shown in a browser, and not confirmed by a first code yet.
CREATE TABLE totp_setups (
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser    BLOB NOT NULL,
    secret     BLOB NOT NULL, -- encrypted, for this user
    expires_at TEXT NOT NULL,
    PRIMARY KEY (user_id, browser)
) STRICT;
CREATE INDEX totp_setups_expires_at ON totp_setups (expires_at);

CREATE TABLE recovery_codes (
    code_hash  BLOB NOT NULL PRIMARY KEY, -- keyed
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX recovery_codes_user_id ON recovery_codes (user_id);

ALTER TABLE clients ADD COLUMN require_second_factor INTEGER NOT NULL DEFAULT FALSE;

ALTER TABLE sign_ins ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0; -- at a further factor
