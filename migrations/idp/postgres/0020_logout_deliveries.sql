-- Logout tokens that clients are owed, OpenID Connect Back-Channel Logout 1.0. Written with the end of the session.

CREATE TABLE logout_deliveries (
    session_id UUID NOT NULL, -- may be gone before every client could be reached
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id    UUID NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     TIMESTAMPTZ NOT NULL, -- while an attempt is under way: when another node may take it for lost
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX logout_deliveries_client_id ON logout_deliveries (client_id);
CREATE INDEX logout_deliveries_due_at ON logout_deliveries (due_at);
CREATE INDEX logout_deliveries_expires_at ON logout_deliveries (expires_at);
