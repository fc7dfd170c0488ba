-- usable from 0048
-- What a run has set aside of its tree's limits for what it does now: micro-dollars and tokens of a model call, child runs. A program that does not know them neither sets aside nor gives back; the end of a run ends all of it.
ALTER TABLE runs ADD COLUMN held_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held_children INTEGER NOT NULL DEFAULT 0;
