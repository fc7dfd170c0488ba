-- usable from 0048
-- Instances from before go on to write such letters while both kinds run; they are refused, and go, when somebody redrives them.
-- Letters that ask nobody anything: of parts of a run, which are told to the run above, and of runs that their owner retried since.
DELETE FROM dead_letters WHERE kind = 'run' AND EXISTS (SELECT 1 FROM runs WHERE runs.id = dead_letters.run_id AND runs.parent_run_id IS NOT NULL);

DELETE FROM dead_letters WHERE kind = 'run' AND EXISTS (
    SELECT 1 FROM runs AS again WHERE again.owner_id = dead_letters.owner_id AND again.id > dead_letters.run_id AND again.retry_of = dead_letters.run_id);
