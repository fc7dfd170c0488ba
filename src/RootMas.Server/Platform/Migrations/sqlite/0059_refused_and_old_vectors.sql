-- usable from 0048
-- Texts that a model gave no vector: when they are tried again, so that none of them holds up the others or is paid for again and again.
CREATE TABLE vector_refusals (
    space    TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    stamp    INTEGER NOT NULL,             -- of the text: another one is tried at once
    attempts INTEGER NOT NULL,
    due_at   INTEGER,                      -- NULL: given up, until the text or the model is another
    PRIMARY KEY (space, model, id)
) STRICT, WITHOUT ROWID;

-- Since when all texts of a space have a vector of this model (NULL: they have not yet): a day later those of other models are dropped.
ALTER TABLE vector_spaces ADD COLUMN complete_at INTEGER;
