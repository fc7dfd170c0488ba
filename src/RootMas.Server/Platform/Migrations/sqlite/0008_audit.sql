-- Security-relevant acts, one row each, append-only. Rows hold ids and names, never secrets or contents, so they survive the erasure of a user.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    actor_id    TEXT,
    actor_name  TEXT,
    credential  TEXT,
    session_id  TEXT,
    target_kind TEXT,
    target_id   TEXT,
    before      TEXT,
    after       TEXT,
    address     TEXT,
    request_id  TEXT
) STRICT;
