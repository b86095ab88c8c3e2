-- Mail. What a mail says is stored nowhere: links and codes are made when it is sent, and only their hashes are kept.

-- Mails that people are owed. Written with what they tell of, deleted when delivered.
CREATE TABLE outbox (
    id               BLOB NOT NULL PRIMARY KEY,
    user_id          BLOB REFERENCES users (id) ON DELETE CASCADE, -- NULL: whoever has the address, if anybody has
    email_normalized TEXT NOT NULL,
    purpose          TEXT NOT NULL,
    letter           TEXT NOT NULL, -- JSON: what it is about
    attempts         INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    due_at           TEXT NOT NULL, -- while an attempt is under way: when it counts as lost
    expires_at       TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_user_id ON outbox (user_id);
CREATE INDEX outbox_email_normalized ON outbox (email_normalized);
CREATE INDEX outbox_due_at ON outbox (due_at);
CREATE INDEX outbox_expires_at ON outbox (expires_at);

-- Links in mails, each good once, for one purpose.
CREATE TABLE mail_links (
    token_hash       BLOB NOT NULL PRIMARY KEY,
    user_id          BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose          TEXT NOT NULL,
    email            TEXT NOT NULL, -- that is confirmed, changed to, or taken back; as typed
    email_normalized TEXT NOT NULL,
    created_at       TEXT NOT NULL,
    expires_at       TEXT NOT NULL
) STRICT;
CREATE INDEX mail_links_user_id ON mail_links (user_id);
CREATE INDEX mail_links_email_normalized ON mail_links (email_normalized);
CREATE INDEX mail_links_expires_at ON mail_links (expires_at);

-- Accounts that are made once their address is confirmed.
CREATE TABLE sign_ups (
    id               BLOB NOT NULL PRIMARY KEY,
    token_hash       BLOB, -- of the link, once it was mailed
    email            TEXT NOT NULL, -- as typed
    email_normalized TEXT NOT NULL,
    name             TEXT NOT NULL,
    password_hash    TEXT NOT NULL, -- PHC string
    expires_at       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX sign_ups_token_hash ON sign_ups (token_hash);
CREATE INDEX sign_ups_expires_at ON sign_ups (expires_at);

-- Codes to log in with, each for the browser that asked.
CREATE TABLE mailed_codes (
    handle_hash      BLOB NOT NULL PRIMARY KEY, -- of the cookie's value
    browser          BLOB NOT NULL,
    email            TEXT NOT NULL, -- as typed
    email_normalized TEXT NOT NULL,
    user_id          BLOB REFERENCES users (id) ON DELETE CASCADE, -- NULL until a code was mailed
    code_hash        BLOB, -- keyed: a code is too short for a plain hash
    attempts         INTEGER NOT NULL,
    expires_at       TEXT NOT NULL
) STRICT;
CREATE INDEX mailed_codes_user_id ON mailed_codes (user_id);
CREATE INDEX mailed_codes_expires_at ON mailed_codes (expires_at);
