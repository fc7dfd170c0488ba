-- What happened, for those who want to hear of it after the commit. Deleted when every handler has had it.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    topic      TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_topic ON outbox (topic, id);

-- Idempotency-Key: who asked what where, and what came of it. Kept for 24 hours.
CREATE TABLE idempotency_keys (
    owner_id      TEXT    NOT NULL,
    scope         TEXT    NOT NULL,             -- method and path
    key           TEXT    NOT NULL,
    body_hash     TEXT    NOT NULL,             -- SHA-256, hex
    resource_kind TEXT,                         -- what was made: run, conversation …
    resource_id   TEXT,
    status        INTEGER,                      -- HTTP status; NULL: still at work, or answered from the resource
    answer        TEXT,                         -- JSON, without secrets
    instance      TEXT    NOT NULL,             -- the process that worked on it
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (owner_id, scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
