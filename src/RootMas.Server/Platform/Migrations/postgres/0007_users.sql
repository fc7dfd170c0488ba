-- What users need once they log in. The local administrator's row stays what it is; setup gives it a name and a password.
ALTER TABLE users ADD COLUMN limits TEXT COLLATE "C";  -- JSON object, name of a limit → number; NULL: the server's
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;  -- raised by every change: the ETag
ALTER TABLE users ADD COLUMN updated_at BIGINT;
ALTER TABLE users ADD COLUMN password_changed_at BIGINT;
ALTER TABLE users ADD COLUMN last_login_at BIGINT;

-- What somebody logged in with, until it ends. A JWT names its row, so ending the row ends every token of it; a cookie is found by its hash.
CREATE TABLE sessions (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('login', 'cookie', 'service')),
    secret_hash  BYTEA,  -- SHA-256 of a cookie's 256 random bits; NULL: the kind has none
    role         TEXT COLLATE "C" CHECK (role IN ('admin', 'user', 'agent', 'readonly')),  -- the most that it may be; NULL: what its user is
    scopes       TEXT COLLATE "C",  -- JSON array; NULL: all that the role may do
    label        TEXT COLLATE "C",  -- the client's name for itself
    address      TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,  -- written at most once a minute
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT
);

CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE UNIQUE INDEX sessions_by_secret ON sessions (secret_hash) WHERE secret_hash IS NOT NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Refresh tokens of a session (their family). Only hashes: a successor is derived from the token that is presented, never stored.
CREATE TABLE refresh_tokens (
    hash       BYTEA NOT NULL PRIMARY KEY,
    session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at   BIGINT
);

CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- Keys that sign access tokens, by their ids; the keys themselves are files. The one without an end signs, the others only verify until theirs.
CREATE TABLE signing_keys (
    kid          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at   BIGINT NOT NULL,
    verify_until BIGINT
);

CREATE UNIQUE INDEX signing_keys_current ON signing_keys ((verify_until IS NULL)) WHERE verify_until IS NULL;
