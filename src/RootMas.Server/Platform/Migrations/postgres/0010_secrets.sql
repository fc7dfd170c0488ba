-- Secrets that administrators entered, sealed with AES-256-GCM under a key that is not in the database. Shared by the whole server, so they have no owner; who entered them is kept.
CREATE TABLE secrets (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL  -- id of a user; kept when the user goes
);
