-- Agents and teams that were put by the API; they override the files. Append-only: the newest version of a name counts, older ones are its history.
-- deleted: hides the file's definition too. reverted: the file's definition counts again.
CREATE TABLE catalog_overrides (
    kind       TEXT    NOT NULL CHECK (kind IN ('agent', 'team')),
    name       TEXT    NOT NULL,
    version    INTEGER NOT NULL CHECK (version >= 1),
    state      TEXT    NOT NULL CHECK (state IN ('live', 'deleted', 'reverted')),
    definition TEXT    NULL,
    owner_id   TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name, version),
    CHECK ((state = 'live') = (definition IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- What runs keep of what they started with, addressed by content: SHA-256 (hex) of json.
CREATE TABLE team_snapshots (
    hash       TEXT    NOT NULL PRIMARY KEY,
    json       BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
