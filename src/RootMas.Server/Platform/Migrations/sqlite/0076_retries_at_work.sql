-- usable from 0048
-- Retries that have not ended, by the message that they answer anew: the next message of that conversation goes on from them.
create index runs_retries_at_work on runs (input_message_id) where retry_of is not null and ended_at is null;
