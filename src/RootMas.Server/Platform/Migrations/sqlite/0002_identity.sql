-- Who owns rows. Until logins exist there is one user, the local administrator, who has no password; setup later gives that row a name and one.
CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'user', 'agent', 'readonly')),
    password_hash TEXT,                         -- NULL: cannot log in
    is_local      INTEGER NOT NULL DEFAULT 0,   -- 1: everybody who reaches the loopback-only server
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX users_local ON users (is_local) WHERE is_local = 1;
