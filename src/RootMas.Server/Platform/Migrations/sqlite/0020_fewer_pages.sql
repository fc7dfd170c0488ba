-- Every page that a commit touches is written to the log and synced, so what a run touches is what it costs.

-- Events are appended at the table's end, however many runs write at once; ordered by run, each run's batch went into a page of its own.
CREATE TABLE run_events_by_arrival (
    run_id     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    type       TEXT    NOT NULL,
    json       BLOB    NOT NULL,                       -- sent to clients unchanged
    batch_id   BLOB,                                   -- on the last event of its batch: tells an owner whether its own append went through
    created_at INTEGER NOT NULL
);
INSERT INTO run_events_by_arrival (run_id, seq, type, json, batch_id, created_at)
    SELECT run_id, seq, type, json, batch_id, created_at FROM run_events ORDER BY run_id, seq;
DROP TABLE run_events;
ALTER TABLE run_events_by_arrival RENAME TO run_events;
CREATE UNIQUE INDEX ux_run_events ON run_events (run_id, seq);

-- Only runs that wait for their branch are looked for by branch; those that begin at once never enter the index.
DROP INDEX ix_runs_branch;
CREATE INDEX ix_runs_queue ON runs (branch_id, queue_position) WHERE queue_position IS NOT NULL AND ended_at IS NULL;

-- Nothing reads the ledger by run.
DROP INDEX usage_ledger_run;
