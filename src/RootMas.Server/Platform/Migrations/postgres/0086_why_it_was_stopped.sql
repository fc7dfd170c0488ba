-- usable from 0048
-- Why a limit or a guard stopped the run whose last message this is: the model is told so with what is said next. Null: none did, or a version before this one wrote it.
alter table messages add column stopped text collate "C";
