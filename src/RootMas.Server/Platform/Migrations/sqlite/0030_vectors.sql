-- What texts mean, as numbers: a row for each text and each model that embedded it. The texts belong to whoever put them. Derived: it can be made anew from them.
CREATE TABLE vectors (
    space      TEXT    NOT NULL,             -- chunks, memory, entities, …
    model      TEXT    NOT NULL,             -- name/version/dimension of what made it; only equal ones can be compared
    id         TEXT    NOT NULL,             -- of the text's own row
    partition  TEXT    NOT NULL,             -- searches name those that they may see
    vector     BLOB    NOT NULL,             -- 32-bit floats, little-endian, length 1
    stamp      INTEGER NOT NULL,             -- changes with the vector
    created_at INTEGER NOT NULL,
    PRIMARY KEY (space, model, id)
) STRICT;
-- Everything but the vector, so that a start does not read what it has kept.
CREATE INDEX vectors_listed ON vectors (space, model, id, partition, stamp);
CREATE INDEX vectors_partition ON vectors (space, partition);

-- Which instance looks after a space, and when all its texts were seen to have a vector of this model.
CREATE TABLE vector_spaces (
    space       TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    instance    TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    checked_at  INTEGER,
    PRIMARY KEY (space, model)
) STRICT, WITHOUT ROWID;
