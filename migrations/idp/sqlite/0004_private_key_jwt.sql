-- Client authentication by private_key_jwt, RFC 7523 and OpenID Connect Core §9.

ALTER TABLE clients ADD COLUMN jwks TEXT; -- a JWK Set of public keys

-- Assertions that were used, until they would have expired: each is good once.
CREATE TABLE client_assertions (
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    jti_hash   BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
) STRICT;
CREATE INDEX client_assertions_expires_at ON client_assertions (expires_at);
