-- usable from 0048
-- Instances from before do not look at it: what was said in runs at work while all is forgotten may be remembered there.
-- When the owner last forgot everything, in microseconds since 1970: nothing that was said before is taken as a fact any more. Null: never.
alter table memory_owners add column forgot_at bigint;
