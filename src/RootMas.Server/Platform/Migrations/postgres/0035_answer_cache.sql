-- Answers of agents that may be given again. The body is JSON (Knowledge/AnswerCache/CachedAnswer).
CREATE TABLE cached_answers (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner_id       TEXT COLLATE "C" NOT NULL,               -- * : everybody's
    agent          TEXT COLLATE "C" NOT NULL,
    prompt_version TEXT COLLATE "C" NOT NULL,
    documents      TEXT COLLATE "C" NOT NULL,               -- |id|id| of documents that stood in the request
    body           BYTEA NOT NULL,
    cost_micro_usd BIGINT NOT NULL,
    hits           BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL
);

-- Questions that were answered by them. request is the SHA-256 of the whole request, partition that of everything but the question.
CREATE TABLE cached_questions (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answer_id  TEXT COLLATE "C" NOT NULL,
    owner_id   TEXT COLLATE "C" NOT NULL,
    partition  TEXT COLLATE "C" NOT NULL,
    request    TEXT COLLATE "C" NOT NULL,
    question   TEXT COLLATE "C" NOT NULL,
    marks      TEXT COLLATE "C" NOT NULL,
    embedder   TEXT COLLATE "C" NOT NULL,                   -- what made the vector
    vector     BYTEA,                              -- float32, little endian; NULL: only equal requests find it
    created_at BIGINT NOT NULL
);

CREATE INDEX cached_questions_answer ON cached_questions (answer_id);

-- Whether a kept answer meant the same as the model's fresh one; similarity and margin in millionths. No text and no owner: what was learned outlives the answers.
CREATE TABLE cache_observations (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answer_id  TEXT COLLATE "C" NOT NULL,
    similarity BIGINT NOT NULL,
    margin     BIGINT NOT NULL,
    is_same    BIGINT NOT NULL
);
