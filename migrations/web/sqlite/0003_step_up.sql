-- What a log-in has to be like, if somebody demands it (RFC 9470).

ALTER TABLE logins ADD COLUMN max_age INTEGER; -- seconds
ALTER TABLE logins ADD COLUMN acr_values TEXT; -- space-separated
