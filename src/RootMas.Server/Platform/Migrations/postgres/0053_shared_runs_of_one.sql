-- usable from 0048
-- What one shares is few among all that one ran: without this, by a walk over one's runs.
CREATE INDEX ix_runs_shared ON runs (owner_id, id) WHERE shared_at IS NOT NULL;
