-- When a backup was made and verified last, by any instance: one row each. The archives and the records beside them are the truth about what there is.
CREATE TABLE backup_state (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,   -- last_success, last_verified
    at       BIGINT NOT NULL,
    backup   TEXT COLLATE "C" NOT NULL,               -- id of the archive
    instance TEXT COLLATE "C" NOT NULL                -- machine that did it
);
