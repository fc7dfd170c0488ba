-- Documents that a message brings along, as a JSON array of ids.
alter table messages add column attachments text;

-- Messages that cite documents: excerpts go when a document goes.
create index messages_with_citations on messages (run_id) where citations is not null;
