DROP VIEW live_grants;
-- The one gate: nothing is issued, refreshed or shown from a grant that is not here. Idle and absolute limits of the session
-- are compared with the clock by whoever asks; whoever spends a code also asks for a session that has not been ended, as nobody
-- logs in by one that was.
CREATE VIEW live_grants AS
SELECT grants.id, grants.client_id, grants.user_id, grants.session_id, grants.offline, grants.scope,
       grants.audience, grants.claims, grants.auth_time, grants.expires_at,
       sessions.last_seen_at AS session_seen_at, sessions.expires_at AS session_expires_at,
       sessions.ended_at AS session_ended_at
FROM grants
JOIN users ON users.id = grants.user_id AND users.disabled_at IS NULL
JOIN clients ON clients.id = grants.client_id AND clients.disabled_at IS NULL
JOIN sessions ON sessions.id = grants.session_id AND (grants.offline OR sessions.ended_at IS NULL)
WHERE grants.revoked_at IS NULL;
