-- What a run touches is what it costs. PostgreSQL keeps rows in order of arrival anyway; the index has the same name as in the embedded database.
ALTER TABLE run_events RENAME CONSTRAINT run_events_pkey TO ux_run_events;

-- Only runs that wait for their branch are looked for by branch; those that begin at once never enter the index.
DROP INDEX ix_runs_branch;
CREATE INDEX ix_runs_queue ON runs (branch_id, queue_position) WHERE queue_position IS NOT NULL AND ended_at IS NULL;

-- Nothing reads the ledger by run.
DROP INDEX usage_ledger_run;
