-- Proofs of possession (RFC 9449) that were used, until they would not be good any more.

CREATE TABLE dpop_proofs (
    proof_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the key's thumbprint and `jti`
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at);
