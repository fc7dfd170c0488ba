-- Secrets that administrators entered, sealed with AES-256-GCM under a key that is not in the database. Shared by the whole server, so they have no owner; who entered them is kept.
CREATE TABLE secrets (
    name       TEXT    NOT NULL PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL      -- id of a user; kept when the user goes
) STRICT;
