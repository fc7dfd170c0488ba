-- usable from 0048
-- When an owner's document was last taken to be indexed: whoever waits longest is next, however much somebody else has uploaded.
create table document_turns (
    owner_id text collate "C" not null primary key,
    served   bigint not null                 -- rises with each document that is taken
);

create index document_turns_served on document_turns (served);

-- The oldest document of each owner that waits, and how many of an owner's are worked on.
create index documents_waiting_by_owner on documents (owner_id, created_at, id) where status in ('queued', 'working');

create index documents_working_by_owner on documents (owner_id) where status = 'working';
