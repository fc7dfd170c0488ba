-- Runs: one row per run, its append-only log, its inbox, and the approvals that its log asked for.
-- Times are unix microseconds UTC, money is micro-dollars. What is large and never changes (input, options, history) is not in the row, which every step rewrites.

CREATE TABLE runs (
    id                  TEXT    NOT NULL PRIMARY KEY,
    owner_id            TEXT    NOT NULL,
    root_run_id         TEXT    NOT NULL,
    parent_run_id       TEXT,
    parent_key          TEXT,                          -- key of the inbox row that this run's end writes at its parent
    depth               INTEGER NOT NULL DEFAULT 0,
    conversation_id     TEXT,
    input_message_id    TEXT,
    branch_id           TEXT,
    branch_slot         TEXT,                          -- the branch while this run is its one started, unfinished root run
    queue_position      INTEGER,                       -- order of those that wait for the branch
    team                TEXT    NOT NULL,
    entry_agent         TEXT    NOT NULL,
    snapshot_hash       TEXT    NOT NULL,
    tainted             INTEGER NOT NULL DEFAULT 0,
    status              TEXT    NOT NULL,
    attempt             INTEGER NOT NULL DEFAULT 0,
    worker              TEXT,
    lease_until         INTEGER,
    last_seq            INTEGER NOT NULL DEFAULT 0,
    inbox_seq           INTEGER NOT NULL DEFAULT 0,    -- highest inbox id of this run
    inbox_done          INTEGER NOT NULL DEFAULT 0,    -- inbox rows up to this id are in the log
    wake_at             INTEGER,                       -- only while parked
    attempt_idle        INTEGER NOT NULL DEFAULT 0,    -- 1: this attempt has written nothing yet
    crashes             INTEGER NOT NULL DEFAULT 0,    -- processes in a row that died with this run in their hands; from 2 on it runs apart from other suspects
    stalled             INTEGER NOT NULL DEFAULT 0,    -- such deaths that can only be this run's fault: 2 each, 1 if the model was at least asked again
    log_version         INTEGER NOT NULL DEFAULT 1,
    retry_of            TEXT,
    cost_micro_usd      INTEGER NOT NULL DEFAULT 0,
    input_tokens        INTEGER NOT NULL DEFAULT 0,
    cached_tokens       INTEGER NOT NULL DEFAULT 0,
    output_tokens       INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens    INTEGER NOT NULL DEFAULT 0,
    tree_steps          INTEGER NOT NULL DEFAULT 0,    -- the four totals are kept at the root only
    tree_children       INTEGER NOT NULL DEFAULT 0,
    tree_tokens         INTEGER NOT NULL DEFAULT 0,
    tree_cost_micro_usd INTEGER NOT NULL DEFAULT 0,
    parked_at           INTEGER,
    parked_on_humans_ms INTEGER NOT NULL DEFAULT 0,
    agents              TEXT    NOT NULL DEFAULT '',   -- that took part, in order of appearance, separated by commas
    answer_seq          INTEGER,                       -- the newest message.completed
    error_code          TEXT,
    reason              TEXT,
    created_at          INTEGER NOT NULL,
    started_at          INTEGER,
    ended_at            INTEGER
) WITHOUT ROWID;

-- One unfinished, started root run per branch.
CREATE UNIQUE INDEX ux_runs_branch_slot ON runs (branch_slot) WHERE branch_slot IS NOT NULL;
CREATE INDEX ix_runs_branch ON runs (branch_id, queue_position) WHERE branch_id IS NOT NULL AND ended_at IS NULL;
CREATE INDEX ix_runs_open ON runs (status, id) WHERE ended_at IS NULL;
CREATE INDEX ix_runs_wake ON runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX ix_runs_owner ON runs (owner_id, id);
CREATE INDEX ix_runs_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX ix_runs_tree ON runs (root_run_id, id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX ix_runs_conversation ON runs (conversation_id, id) WHERE conversation_id IS NOT NULL;

CREATE TABLE run_contexts (
    run_id     TEXT NOT NULL PRIMARY KEY,
    options    TEXT,                                   -- RunRequestOptions as JSON; null: all defaults
    history    TEXT                                    -- the history that came with the request; null: the conversation's
) WITHOUT ROWID;

CREATE TABLE run_events (
    run_id     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    type       TEXT    NOT NULL,
    json       BLOB    NOT NULL,                       -- sent to clients unchanged
    batch_id   BLOB,                                   -- on the last event of its batch: tells an owner whether its own append went through
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

CREATE TABLE run_inbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused: ids of one run only rise
    run_id     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (run_id, key)
);

CREATE TABLE approvals (
    id              TEXT    NOT NULL PRIMARY KEY,
    run_id          TEXT    NOT NULL,
    owner_id        TEXT    NOT NULL,
    agent           TEXT    NOT NULL,
    call            INTEGER NOT NULL,
    tool            TEXT    NOT NULL,
    arguments       TEXT    NOT NULL,
    arguments_hash  TEXT    NOT NULL,
    approver        TEXT    NOT NULL,                  -- owner or admin
    reason          TEXT    NOT NULL,
    target_origin   TEXT,
    status          TEXT    NOT NULL,                  -- pending, approved, denied, expired
    decided_by      TEXT,
    decision_reason TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    decided_at      INTEGER
) WITHOUT ROWID;

CREATE INDEX ix_approvals_owner ON approvals (owner_id, status, id);
CREATE INDEX ix_approvals_status ON approvals (status, id);
CREATE INDEX ix_approvals_run ON approvals (run_id);

-- What agents did, counted when their runs end: asked for often, and never by reading all runs.
CREATE TABLE agent_activity (
    agent     TEXT    NOT NULL PRIMARY KEY,
    answers   INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    finished  INTEGER NOT NULL,                        -- completed or failed; a cancelled run says nothing about its agent
    last_at   INTEGER NOT NULL
) WITHOUT ROWID;
