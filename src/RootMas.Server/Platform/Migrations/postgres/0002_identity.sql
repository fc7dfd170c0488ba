-- Who owns rows. Until logins exist there is one user, the local administrator, who has no password; setup later gives that row a name and one.
-- Names are compared without case, as in the embedded database.
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE users (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    username      TEXT COLLATE nocase NOT NULL UNIQUE,
    role          TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'user', 'agent', 'readonly')),
    password_hash TEXT COLLATE "C",  -- NULL: cannot log in
    is_local      BIGINT NOT NULL DEFAULT 0,  -- 1: everybody who reaches the loopback-only server
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL
);

CREATE UNIQUE INDEX users_local ON users (is_local) WHERE is_local = 1;
