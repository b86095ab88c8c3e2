-- Where an app lets a log-in begin that somebody else asks for, OpenID Connect Core §4.

ALTER TABLE clients ADD COLUMN initiate_login_uri TEXT;
