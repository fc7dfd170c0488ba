-- Ids, divided by spaces, of documents whose words may be in what a run wrote, cited or not: kept answers to what is said later go with them. Null: none, or a version before this one wrote it.
alter table messages add column documents text;
