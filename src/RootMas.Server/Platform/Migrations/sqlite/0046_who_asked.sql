-- Who asked a question, also where the answer is everybody's: their erasure takes it along. null: a version before this one wrote it; such rows end with their time to live.
ALTER TABLE cached_questions ADD COLUMN asker_id TEXT;

CREATE INDEX cached_questions_asker ON cached_questions (asker_id);
