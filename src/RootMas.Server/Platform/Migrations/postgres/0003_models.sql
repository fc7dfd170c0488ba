-- One row per request that was sent to a model. Rows hold ids and numbers only, never content, so they survive the erasure of a user.
CREATE TABLE usage_ledger (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id           TEXT COLLATE "C"    NULL,
    root_run_id      TEXT COLLATE "C"    NULL,
    owner_id         TEXT COLLATE "C" NOT NULL,
    agent            TEXT COLLATE "C"    NULL,
    message_id       TEXT COLLATE "C"    NULL,
    purpose          TEXT COLLATE "C" NOT NULL,
    provider         TEXT COLLATE "C" NOT NULL,
    model            TEXT COLLATE "C" NOT NULL,
    tier             TEXT COLLATE "C" NOT NULL,
    input_tokens     BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost_micro_usd   BIGINT NOT NULL,
    outcome          TEXT COLLATE "C" NOT NULL,
    estimated        BIGINT NOT NULL,
    latency_us       BIGINT NOT NULL,
    ttft_us          BIGINT NULL,
    created_at       BIGINT NOT NULL
);

CREATE INDEX usage_ledger_owner ON usage_ledger (owner_id, created_at);
CREATE INDEX usage_ledger_run ON usage_ledger (run_id) WHERE run_id IS NOT NULL;
