-- Answers of agents that may be given again. The body is JSON (Knowledge/AnswerCache/CachedAnswer).
CREATE TABLE cached_answers (
    id             TEXT    NOT NULL PRIMARY KEY,
    owner_id       TEXT    NOT NULL,               -- * : everybody's
    agent          TEXT    NOT NULL,
    prompt_version TEXT    NOT NULL,
    documents      TEXT    NOT NULL,               -- |id|id| of documents that stood in the request
    body           BLOB    NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    hits           INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Questions that were answered by them. request is the SHA-256 of the whole request, partition that of everything but the question.
CREATE TABLE cached_questions (
    id         TEXT    NOT NULL PRIMARY KEY,
    answer_id  TEXT    NOT NULL,
    owner_id   TEXT    NOT NULL,
    partition  TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    question   TEXT    NOT NULL,
    marks      TEXT    NOT NULL,
    embedder   TEXT    NOT NULL,                   -- what made the vector
    vector     BLOB,                               -- float32, little endian; NULL: only equal requests find it
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX cached_questions_answer ON cached_questions (answer_id);

-- Whether a kept answer meant the same as the model's fresh one; similarity and margin in millionths. No text and no owner: what was learned outlives the answers.
CREATE TABLE cache_observations (
    id         TEXT    NOT NULL PRIMARY KEY,
    answer_id  TEXT    NOT NULL,
    similarity INTEGER NOT NULL,
    margin     INTEGER NOT NULL,
    is_same    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
