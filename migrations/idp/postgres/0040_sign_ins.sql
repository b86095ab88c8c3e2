-- How people proved who they are, and log-ins that still need a further factor.

-- Authentication method references (RFC 8176), space-separated.
ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';
-- Where the session was begun.
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd'; -- of the session, at that moment

DROP VIEW live_grants;
-- The one gate: nothing is issued, refreshed or shown from a grant that is not here. Idle and absolute limits of the session
-- are compared with the clock by whoever asks; whoever spends a code also asks for a session that has not been ended, as nobody
-- logs in by one that was.
CREATE VIEW live_grants AS
SELECT grants.id, grants.client_id, grants.user_id, grants.session_id, grants.offline, grants.scope,
       grants.audience, grants.claims, grants.auth_time, grants.amr, grants.expires_at,
       sessions.last_seen_at AS session_seen_at, sessions.expires_at AS session_expires_at,
       sessions.ended_at AS session_ended_at
FROM grants
JOIN users ON users.id = grants.user_id AND users.disabled_at IS NULL
JOIN clients ON clients.id = grants.client_id AND clients.disabled_at IS NULL
JOIN sessions ON sessions.id = grants.session_id AND (grants.offline OR sessions.ended_at IS NULL)
WHERE grants.revoked_at IS NULL;

-- The first factor was right: no session until the others are.
CREATE TABLE sign_ins (
    token_hash BYTEA NOT NULL PRIMARY KEY, -- of the cookie's value
    browser    BYTEA NOT NULL,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    amr        TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sign_ins_user_id ON sign_ins (user_id);
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);
