-- usable from 0048
-- Whether the run of which "stopped" tells had read text from outside: the run that is told so is tainted then. Null: a version before this one wrote it, which put names into it that models had made up; it counts as yes.
alter table messages add column stopped_tainted integer;
