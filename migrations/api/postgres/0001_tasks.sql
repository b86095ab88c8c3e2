CREATE TABLE tasks (
    id UUID NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    completed BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL,
    -- Both are case-folded by the service, not by the database, so that every database sorts and finds alike.
    title_key TEXT COLLATE "C" NOT NULL,
    search_text TEXT COLLATE "C" NOT NULL
);

CREATE INDEX tasks_by_creation ON tasks (user_id, created_at, id);
CREATE INDEX tasks_by_update ON tasks (user_id, updated_at, id);
CREATE INDEX tasks_by_title ON tasks (user_id, title_key, id);

CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of the request that the key came with first.
    request_hash BYTEA NOT NULL,
    response TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
