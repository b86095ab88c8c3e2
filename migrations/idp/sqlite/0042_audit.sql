-- What happened, and why something was refused.

-- Security-relevant acts, append-only: each row's `mac` covers the row and the `mac` before it, under a key that is not here.
CREATE TABLE audit_events (
    seq        INTEGER NOT NULL PRIMARY KEY, -- without gaps
    at         TEXT NOT NULL,
    event      TEXT NOT NULL,
    user_id    BLOB, -- whom it is about; the next two likewise outlive what they name
    client_id  TEXT,
    session_id BLOB,
    address    TEXT, -- of the call; operators have none
    user_agent TEXT,
    request_id BLOB,
    outcome    TEXT NOT NULL, -- success or failure
    details    TEXT NOT NULL, -- JSON
    mac        BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_user_id ON audit_events (user_id, seq);

-- The newest event, and the newest of those that retention has removed, each with an HMAC of its own: nobody without the
-- key can move either to another event.
CREATE TABLE audit_head (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq        INTEGER NOT NULL,
    mac        BLOB NOT NULL,
    tag        BLOB NOT NULL,
    anchor_seq INTEGER NOT NULL,
    anchor_mac BLOB NOT NULL,
    anchor_tag BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO audit_head VALUES (1, 0, x'', x'', 0, x'', x'');

CREATE TRIGGER audit_events_never_change BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
CREATE TRIGGER audit_events_go_by_retention BEFORE DELETE ON audit_events
WHEN OLD.seq > (SELECT anchor_seq FROM audit_head)
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;

-- Refused requests, for operators: which rule, and what it was given. No secrets.
CREATE TABLE refusals (
    request_id BLOB NOT NULL PRIMARY KEY, -- the reference that people see
    at         TEXT NOT NULL,
    route      TEXT NOT NULL,
    error      TEXT NOT NULL, -- the code that a client was told, or what kind of page
    rule       TEXT NOT NULL,
    client_id  TEXT,
    user_id    BLOB,
    address    TEXT NOT NULL,
    inputs     TEXT NOT NULL, -- JSON
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_expires_at ON refusals (expires_at);
