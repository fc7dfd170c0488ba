-- usable from 0048
-- Instances from before do not write it: what a run says in the moment in which it is rolled back is then in the conversation, as it was before.
-- The run's message was taken back: what it still says is no part of the conversation.
alter table runs add column rolled_back bigint not null default 0;
