-- What else is known of people: claims of OpenID Connect Core §5.1, a JSON object.

ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';
