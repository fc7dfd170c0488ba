-- usable from 0048
-- Texts that a model gave no vector: when they are tried again, so that none of them holds up the others or is paid for again and again.
CREATE TABLE vector_refusals (
    space    TEXT COLLATE "C" NOT NULL,
    model    TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    stamp    BIGINT NOT NULL,             -- of the text: another one is tried at once
    attempts BIGINT NOT NULL,
    due_at   BIGINT,                      -- NULL: given up, until the text or the model is another
    PRIMARY KEY (space, model, id)
);

-- Since when all texts of a space have a vector of this model (NULL: they have not yet): a day later those of other models are dropped.
ALTER TABLE vector_spaces ADD COLUMN complete_at BIGINT;
