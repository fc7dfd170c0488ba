-- usable from 0048
-- Instances from before note no maker: tokens that an API key made there end by themselves.
-- The API key that made a session for somebody: the session ends when the key is revoked.
alter table sessions add column made_by text;

create index sessions_by_maker on sessions (made_by) where made_by is not null;
