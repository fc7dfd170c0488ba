-- Security-relevant acts, one row each, append-only and chained: mac = HMAC-SHA-256(key, canonical form of the row, mac of the row before). The key is not in the database.
-- Rows hold ids and names, never secrets or contents, so they survive the erasure of a user.
CREATE TABLE audit (
    id          BIGINT NOT NULL PRIMARY KEY,  -- 1, 2, 3 … without a hole: given by audit_head, so a rollback takes its number back
    at          BIGINT NOT NULL,
    action      TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    actor_id    TEXT COLLATE "C",
    actor_name  TEXT COLLATE "C",
    credential  TEXT COLLATE "C",
    session_id  TEXT COLLATE "C",
    target_kind TEXT COLLATE "C",
    target_id   TEXT COLLATE "C",
    before      TEXT COLLATE "C",
    after       TEXT COLLATE "C",
    address     TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    form        BIGINT NOT NULL,  -- version of the canonical form
    key_id      TEXT COLLATE "C" NOT NULL,  -- which key made the mac
    mac         BYTEA NOT NULL
);

CREATE INDEX audit_actor ON audit (actor_id, id);
CREATE INDEX audit_target ON audit (target_id, id) WHERE target_id IS NOT NULL;
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_at ON audit (at);

-- The end of the chain, one row. Whoever appends updates it first, so writers stand in line, and a rollback puts it back.
CREATE TABLE audit_head (
    one     BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    last_id BIGINT NOT NULL,
    mac     BYTEA NOT NULL
);

INSERT INTO audit_head (one, last_id, mac) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- Not a defence against who can write the tables (the chain is), but against our own mistakes.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION audit_only_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit WHERE id >= NEW.id) THEN RAISE EXCEPTION 'audit rows are only appended'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse('audit rows are never changed');
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse('audit rows are never deleted');
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse('audit rows are never deleted');
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_appended();
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refuse('the head of the audit log is never deleted');
CREATE TRIGGER audit_head_no_return BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.last_id < OLD.last_id) EXECUTE FUNCTION audit_refuse('the audit log never gets shorter');

-- The settings of the last start, to tell what changed since. A secret's value is a keyed hash.
CREATE TABLE settings_seen (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
