-- usable from 0048
-- Instances from before do not write it: what they end while it waits is shown as waiting, as it was before.
-- A page of the web app from before, after a rollback or until it is loaded again, draws such a message as a branch beside the first one.
-- Messages whose run ended before its turn, or is gone: they wait for nothing.
update messages set status = 'cancelled' where status = 'queued' and depth = 0 and not exists (select 1 from runs where runs.id = messages.run_id and runs.ended_at is null);
