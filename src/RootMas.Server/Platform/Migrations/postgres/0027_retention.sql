-- When the events of a finished run were removed by the operator's retention; its answer and its last event stay.
ALTER TABLE runs ADD COLUMN log_pruned_at BIGINT;

-- Archived conversations are few; these are looked through for those that nobody has touched for long.
CREATE INDEX conversations_archived ON conversations (updated_at) WHERE archived = 1;
