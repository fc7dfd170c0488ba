-- usable from 0048
-- The remembered fact whose words a call's result has: the result goes with it. null: it has none, or a version before this one wrote it.
ALTER TABLE memory_calls ADD COLUMN fact_id TEXT COLLATE "C";

CREATE INDEX memory_calls_fact ON memory_calls (fact_id) WHERE fact_id IS NOT NULL;
