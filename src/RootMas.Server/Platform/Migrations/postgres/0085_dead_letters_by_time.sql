-- usable from 0048
-- The list of dead letters is by time: a run's letter has the run's id, which is older than the letter. Retention asks by time too.
CREATE INDEX ix_dead_letters_time ON dead_letters (created_at, id);
