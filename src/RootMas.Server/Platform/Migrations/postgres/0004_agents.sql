-- Agents and teams that were put by the API; they override the files. Append-only: the newest version of a name counts, older ones are its history.
-- deleted: hides the file's definition too. reverted: the file's definition counts again.
CREATE TABLE catalog_overrides (
    kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('agent', 'team')),
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL CHECK (version >= 1),
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('live', 'deleted', 'reverted')),
    definition TEXT COLLATE "C"    NULL,
    owner_id   TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name, version),
    CHECK ((state = 'live') = (definition IS NOT NULL))
);

-- What runs keep of what they started with, addressed by content: SHA-256 (hex) of json.
CREATE TABLE team_snapshots (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    json       BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
