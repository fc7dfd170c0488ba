-- One row per request that was sent to a model. Rows hold ids and numbers only, never content, so they survive the erasure of a user.
CREATE TABLE usage_ledger (
    id               TEXT    NOT NULL PRIMARY KEY,
    run_id           TEXT    NULL,
    root_run_id      TEXT    NULL,
    owner_id         TEXT    NOT NULL,
    agent            TEXT    NULL,
    message_id       TEXT    NULL,
    purpose          TEXT    NOT NULL,
    provider         TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    tier             TEXT    NOT NULL,
    input_tokens     INTEGER NOT NULL,
    cached_tokens    INTEGER NOT NULL,
    output_tokens    INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_micro_usd   INTEGER NOT NULL,
    outcome          TEXT    NOT NULL,
    estimated        INTEGER NOT NULL,
    latency_us       INTEGER NOT NULL,
    ttft_us          INTEGER NULL,
    created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_ledger_owner ON usage_ledger (owner_id, created_at);
CREATE INDEX usage_ledger_run ON usage_ledger (run_id) WHERE run_id IS NOT NULL;
