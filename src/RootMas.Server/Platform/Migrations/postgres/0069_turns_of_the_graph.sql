-- usable from 0048
-- When parts of an owner's documents were last taken to be read for the graph: whoever waits longest is next, however much somebody else has uploaded.
create table graph_turns (
    owner_id text collate "C" not null primary key,
    served   bigint not null                 -- rises with each turn
);

create index graph_turns_served on graph_turns (served);

-- Who waits, and the oldest parts of each; what is taken or waits for later is passed over without reading its text.
create index graph_jobs_by_owner on graph_jobs (owner_id, source_id, claimed_until);
