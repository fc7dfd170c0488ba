-- usable from 0048
-- Why the model ended an answer before it was whole: length or content_filter. Null: it is whole, or a version before this one wrote it.
alter table messages add column cut_by text collate "C";
