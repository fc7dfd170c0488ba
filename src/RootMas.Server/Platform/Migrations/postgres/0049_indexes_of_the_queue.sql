-- usable from 0048
-- Whose turn has not come: few, or none, of all that the broker has.
CREATE INDEX ix_run_turns_waiting ON run_turns (owner_id) WHERE offered = 0;

-- Whether somebody reads what an owner has said: asked for each exchange that is due, of those few that are claimed.
CREATE INDEX memory_jobs_claimed ON memory_jobs (owner_id) WHERE claimed_until IS NOT NULL;
