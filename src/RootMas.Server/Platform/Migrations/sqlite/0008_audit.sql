-- Security-relevant acts, one row each, append-only and chained: mac = HMAC-SHA-256(key, canonical form of the row, mac of the row before). The key is not in the database.
-- Rows hold ids and names, never secrets or contents, so they survive the erasure of a user.
CREATE TABLE audit (
    id          INTEGER NOT NULL PRIMARY KEY,   -- 1, 2, 3 … without a hole: given by audit_head, so a rollback takes its number back
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
    request_id  TEXT,
    form        INTEGER NOT NULL,               -- version of the canonical form
    key_id      TEXT    NOT NULL,               -- which key made the mac
    mac         BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_actor ON audit (actor_id, id);
CREATE INDEX audit_target ON audit (target_id, id) WHERE target_id IS NOT NULL;
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_at ON audit (at);

-- The end of the chain, one row. Whoever appends updates it first, so writers stand in line, and a rollback puts it back.
CREATE TABLE audit_head (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last_id INTEGER NOT NULL,
    mac     BLOB    NOT NULL
) STRICT;

INSERT INTO audit_head (one, last_id, mac) VALUES (1, 0, zeroblob(32));

-- Not a defence against who can write the file (the chain is), but against our own mistakes.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id >= NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit rows are only appended'); END;
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the head of the audit log is never deleted'); END;
CREATE TRIGGER audit_head_no_return BEFORE UPDATE ON audit_head WHEN NEW.last_id < OLD.last_id
BEGIN SELECT RAISE(ABORT, 'the audit log never gets shorter'); END;

-- The settings of the last start, to tell what changed since. A secret's value is a keyed hash.
CREATE TABLE settings_seen (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
