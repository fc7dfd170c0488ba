-- What texts mean, as numbers: a row for each text and each model that embedded it. The texts belong to whoever put them. Derived: it can be made anew from them.
CREATE TABLE vectors (
    space      TEXT COLLATE "C" NOT NULL,             -- chunks, memory, entities, …
    model      TEXT COLLATE "C" NOT NULL,             -- name/version/dimension of what made it; only equal ones can be compared
    id         TEXT COLLATE "C" NOT NULL,             -- of the text's own row
    partition  TEXT COLLATE "C" NOT NULL,             -- searches name those that they may see
    vector     BYTEA NOT NULL,             -- 32-bit floats, little-endian, length 1
    stamp      BIGINT NOT NULL,             -- changes with the vector
    created_at BIGINT NOT NULL,
    PRIMARY KEY (space, model, id)
);
-- Everything but the vector, so that a start does not read what it has kept.
CREATE INDEX vectors_listed ON vectors (space, model, id, partition, stamp);
CREATE INDEX vectors_partition ON vectors (space, partition);

-- Which instance looks after a space, and when all its texts were seen to have a vector of this model.
CREATE TABLE vector_spaces (
    space       TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C" NOT NULL,
    instance    TEXT COLLATE "C" NOT NULL,
    lease_until BIGINT NOT NULL,
    checked_at  BIGINT,
    PRIMARY KEY (space, model)
);
