-- Tokens that are bound to a key, RFC 9449.

ALTER TABLE authorization_codes ADD COLUMN dpop_jkt TEXT; -- the key that may redeem it, if one was named
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt TEXT; -- the key that may use it: of public clients

-- Proofs that were used, until they would not be good any more.
CREATE TABLE dpop_proofs (
    proof_hash BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the key's thumbprint and `jti`
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at);
