-- What happened, and why something was refused.

-- Security-relevant acts, append-only: each row's `mac` covers the row and the `mac` before it, under a key that is not here.
CREATE TABLE audit_events (
    seq        BIGINT NOT NULL PRIMARY KEY, -- without gaps
    at         TIMESTAMPTZ NOT NULL,
    event      TEXT NOT NULL,
    user_id    UUID, -- whom it is about; the next two likewise outlive what they name
    client_id  TEXT,
    session_id UUID,
    address    TEXT, -- of the call; operators have none
    user_agent TEXT,
    request_id UUID,
    outcome    TEXT NOT NULL, -- success or failure
    details    TEXT NOT NULL, -- JSON
    mac        BYTEA NOT NULL
);
CREATE INDEX audit_events_user_id ON audit_events (user_id, seq);

-- The newest event, and the newest of those that retention has removed, each with an HMAC of its own: nobody without the
-- key can move either to another event.
CREATE TABLE audit_head (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq        BIGINT NOT NULL,
    mac        BYTEA NOT NULL,
    tag        BYTEA NOT NULL,
    anchor_seq BIGINT NOT NULL,
    anchor_mac BYTEA NOT NULL,
    anchor_tag BYTEA NOT NULL
);
INSERT INTO audit_head VALUES (1, 0, '', '', 0, '', '');

CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only';
END
$$;
CREATE FUNCTION audit_events_retention() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seq > (SELECT anchor_seq FROM audit_head) THEN
        RAISE EXCEPTION 'audit_events is append-only';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_events_never_change BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_append_only();
CREATE TRIGGER audit_events_go_by_retention BEFORE DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_retention();
CREATE TRIGGER audit_events_never_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only();

-- Refused requests, for operators: which rule, and what it was given. No secrets.
CREATE TABLE refusals (
    request_id UUID NOT NULL PRIMARY KEY, -- the reference that people see
    at         TIMESTAMPTZ NOT NULL,
    route      TEXT NOT NULL,
    error      TEXT NOT NULL, -- the code that a client was told, or what kind of page
    rule       TEXT NOT NULL,
    client_id  TEXT,
    user_id    UUID,
    address    TEXT NOT NULL,
    inputs     TEXT NOT NULL, -- JSON
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX refusals_expires_at ON refusals (expires_at);
