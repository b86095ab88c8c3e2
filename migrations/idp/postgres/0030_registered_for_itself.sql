-- Whether an operator's token let a client register that may act for itself too, and not only for people.

ALTER TABLE client_registrations ADD COLUMN for_itself BOOLEAN NOT NULL DEFAULT FALSE;
