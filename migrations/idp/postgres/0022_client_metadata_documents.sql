-- Clients whose id is the address of a document that describes them (OAuth Client ID Metadata Document).

CREATE TABLE client_metadata_documents (
    client_id  TEXT NOT NULL PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    fetched_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX client_metadata_documents_fetched_at ON client_metadata_documents (fetched_at);
