-- What clients can be held to, and where they can be told things. Names of RFC 7591, and of the specifications that add to it.

ALTER TABLE clients ADD COLUMN profile TEXT NOT NULL DEFAULT 'oidc'; -- or oauth21, or fapi2
UPDATE clients SET profile = 'oauth21' WHERE token_endpoint_auth_method = 'none';
ALTER TABLE clients ADD COLUMN id_token_signed_response_alg TEXT NOT NULL DEFAULT 'RS256';
ALTER TABLE clients ADD COLUMN require_signed_request_object INTEGER NOT NULL DEFAULT FALSE; -- RFC 9101
ALTER TABLE clients ADD COLUMN dpop_bound_access_tokens INTEGER NOT NULL DEFAULT FALSE; -- RFC 9449
ALTER TABLE clients ADD COLUMN jwks_uri TEXT;
ALTER TABLE clients ADD COLUMN backchannel_logout_uri TEXT;
ALTER TABLE clients ADD COLUMN backchannel_logout_session_required INTEGER NOT NULL DEFAULT FALSE;
