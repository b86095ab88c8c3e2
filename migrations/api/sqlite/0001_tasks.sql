CREATE TABLE tasks (
    id BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    completed INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Both are case-folded by the service, not by the database, so that every database sorts and finds alike.
    title_key TEXT NOT NULL,
    search_text TEXT NOT NULL
) STRICT;

CREATE INDEX tasks_by_creation ON tasks (user_id, created_at, id);
CREATE INDEX tasks_by_update ON tasks (user_id, updated_at, id);
CREATE INDEX tasks_by_title ON tasks (user_id, title_key, id);

CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of the request that the key came with first.
    request_hash BLOB NOT NULL,
    response TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) STRICT;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
