-- What people do with their accounts by themselves.

ALTER TABLE users ADD COLUMN delete_at TEXT; -- they asked for it: until then nobody is let in, after it nothing is left
CREATE INDEX users_delete_at ON users (delete_at);

ALTER TABLE grants ADD COLUMN device_address TEXT; -- of a device (RFC 8628): that it was asked for from

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
JOIN users ON users.id = grants.user_id AND users.disabled_at IS NULL AND users.delete_at IS NULL
JOIN clients ON clients.id = grants.client_id AND clients.disabled_at IS NULL
JOIN sessions ON sessions.id = grants.session_id AND (grants.offline OR sessions.ended_at IS NULL)
WHERE grants.revoked_at IS NULL;

-- Somebody whose account is to be deleted has proved who they are, and may keep it.
CREATE TABLE restorations (
    token_hash BLOB NOT NULL PRIMARY KEY, -- of the cookie's value
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    amr        TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX restorations_user_id ON restorations (user_id);
CREATE INDEX restorations_expires_at ON restorations (expires_at);
