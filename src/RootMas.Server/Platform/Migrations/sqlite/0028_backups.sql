-- When a backup was made and verified last, by any instance: one row each. The archives and the records beside them are the truth about what there is.
CREATE TABLE backup_state (
    name     TEXT    NOT NULL PRIMARY KEY,   -- last_success, last_verified
    at       INTEGER NOT NULL,
    backup   TEXT    NOT NULL,               -- id of the archive
    instance TEXT    NOT NULL                -- machine that did it
) STRICT, WITHOUT ROWID;
