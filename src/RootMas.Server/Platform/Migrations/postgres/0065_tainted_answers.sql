-- usable from 0048
-- Answers with text from outside, by their last characters: clients of the OpenAI-compatible API send them back as history.
CREATE INDEX messages_tainted ON messages (owner_id, (case when length(content) > 64 then substr(content, length(content) - 63) else content end)) WHERE tainted = 1 AND role = 'assistant';
