-- usable from 0048
-- Kept at the root of a tree of runs: since when nobody works on any of them (NULL: somebody does; in the future while a back-off lasts), and how long that was in all before.
ALTER TABLE runs ADD COLUMN rest_since INTEGER;
ALTER TABLE runs ADD COLUMN rest_ms INTEGER NOT NULL DEFAULT 0;

-- Of runs that are under way: the time with people was theirs to take out before, and whoever waits now is taken out when that ends.
UPDATE runs SET rest_ms = parked_on_humans_ms,
    rest_since = CASE WHEN status IN ('waiting_approval', 'waiting_input', 'needs_review') THEN parked_at WHEN status = 'queued' AND attempt = 0 THEN created_at END
WHERE ended_at IS NULL AND parent_run_id IS NULL;
