-- usable from 0048
-- Instances from before know nothing of it: while both kinds run, and Redis does not count, each keeps the limit by itself.
-- What each instance may still spend of a day's budget, or has spent so lately that the ledger may not show it yet. What a day has cost by the ledger, and these together, never come to more than the limit.
create table budget_holds (
    day       text collate "C" not null,     -- UTC, yyyy-MM-dd
    name      text collate "C" not null,     -- of the count: all, user:ID or agent:NAME
    instance  text collate "C" not null,
    micro_usd bigint not null,
    until     bigint not null,               -- after this the instance counts on it no more
    primary key (day, name, instance)
);
