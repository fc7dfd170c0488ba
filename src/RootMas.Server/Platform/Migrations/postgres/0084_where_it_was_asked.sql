-- usable from 0048
-- In which conversation a question was asked: it goes with it. NULL: in none, or a version before this one wrote it; such rows end with their time to live.
ALTER TABLE cached_questions ADD COLUMN conversation_id TEXT COLLATE "C";

CREATE INDEX cached_questions_conversation ON cached_questions (conversation_id);
