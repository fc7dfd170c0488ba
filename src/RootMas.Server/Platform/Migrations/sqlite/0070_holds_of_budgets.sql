-- usable from 0048
-- Instances from before know nothing of it: while both kinds run, and Redis does not count, each keeps the limit by itself.
-- What each instance may still spend of a day's budget, or has spent so lately that the ledger may not show it yet. Used on PostgreSQL only, where there are several instances.
create table budget_holds (
    day       text not null,                 -- UTC, yyyy-MM-dd
    name      text not null,                 -- of the count: all, user:ID or agent:NAME
    instance  text not null,
    micro_usd integer not null,
    until     integer not null,              -- after this the instance counts on it no more
    primary key (day, name, instance)
);
