-- What instances that share a database must agree on. One process alone (this database) keeps its keys in files and has nobody to tell: the tables are here so that both databases are alike.

-- Keys of the installation. sealed: AES-256-GCM under the master key, which is not in the database; NULL: settings give the key, and only its fingerprint is compared. 'master' is the master key's own fingerprint.
CREATE TABLE shared_keys (
    name        TEXT    NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    sealed      BLOB,
    created_at  INTEGER NOT NULL
) STRICT;

-- Changes that other instances must hear of within seconds, written with the change itself. Kept for an hour.
CREATE TABLE shared_changes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    writer     INTEGER NOT NULL,             -- the writing transaction: readers take up where every earlier transaction was over
    origin     TEXT    NOT NULL,             -- the instance that wrote it, and knows already
    topic      TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX shared_changes_writer ON shared_changes (writer);
CREATE INDEX shared_changes_age ON shared_changes (created_at);

-- Processes that work on this database. Who of them lives is told by their locks, not by their rows.
CREATE TABLE instances (
    name       TEXT    NOT NULL PRIMARY KEY,
    role       TEXT    NOT NULL,             -- serve or worker
    version    TEXT    NOT NULL,
    url        TEXT,
    config     TEXT    NOT NULL,             -- fingerprints of its files: name=hash, separated by blanks
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;
