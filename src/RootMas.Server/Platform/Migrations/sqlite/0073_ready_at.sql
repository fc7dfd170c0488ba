-- usable from 0048
-- Instances from before do not write it: what they give back counts from the time before, so the age is overstated, never understated.
-- Since when a queued run waits for a worker, in microseconds since 1970: since it was given back, woken, or came to its branch's turn. Null: since it was made.
alter table runs add column ready_at integer;
