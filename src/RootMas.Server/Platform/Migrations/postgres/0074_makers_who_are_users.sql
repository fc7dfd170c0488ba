-- usable from 0048
-- Instances from before note no maker: tokens that an administrator made there end by themselves.
-- The administrator who made a session for somebody, by login or by API key: the session ends when they are no administrator any more. Null: the operator did, or one of their programs.
alter table sessions add column made_by_user text collate "C";

create index sessions_by_making_user on sessions (made_by_user) where made_by_user is not null;
