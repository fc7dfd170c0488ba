-- Documents in collections, cut into chunks that are found by words and by meaning.

create table collections (
    id          text    not null primary key,
    owner_id    text    not null,
    name        text    not null,
    description text    not null default '',
    is_default  integer not null default 0,          -- where documents go that name no collection
    revision    integer not null default 1,          -- raised by every change of what it holds: part of the knowledge version
    version     integer not null default 1,          -- raised by every change of itself: the ETag
    created_at  integer not null,
    updated_at  integer not null
) strict, without rowid;

create unique index collections_by_owner on collections (owner_id, name);

create unique index collections_default on collections (owner_id) where is_default = 1;

create table collection_members (
    collection_id text    not null references collections (id) on delete cascade,
    subject_id    text    not null,                  -- a user, or * for everybody who may read knowledge
    may_write     integer not null default 0,
    created_at    integer not null,
    primary key (collection_id, subject_id)
) strict, without rowid;

create index collection_members_by_subject on collection_members (subject_id, collection_id);

create table documents (
    id            text    not null primary key,
    collection_id text    not null references collections (id) on delete cascade,
    owner_id      text    not null,                  -- who uploaded it
    name          text    not null,
    kind          text    not null,                  -- by content: text, markdown, html, csv, json, docx, pdf, code
    bytes         integer not null,
    hash          text    not null,                  -- SHA-256 of the file, hex
    status        text    not null,                  -- queued | working | ready | failed
    stage         text    not null default '',       -- what is being done: extracting, chunking, embedding
    done          integer not null default 0,        -- of the stage
    total         integer not null default 0,
    error_code    text,
    error         text,
    generation    integer not null default 0,        -- its chunks of this generation are found
    next          integer not null default 1,        -- the generation being made
    pages         integer,
    chunks        integer not null default 0,
    characters    integer not null default 0,
    attempts      integer not null default 0,
    lease_until   integer,
    created_at    integer not null,
    updated_at    integer not null
) strict, without rowid;

create index documents_by_collection on documents (collection_id, created_at desc, id desc);

create unique index documents_by_name on documents (collection_id, name);

create index documents_by_hash on documents (collection_id, hash);

create index documents_by_owner on documents (owner_id);

create index documents_waiting on documents (created_at) where status in ('queued', 'working');

-- The file until it has been read.
create table document_contents (
    document_id text not null primary key references documents (id) on delete cascade,
    content     blob not null
) strict, without rowid;

-- The text that was read, which offsets count in.
create table document_texts (
    document_id text not null primary key references documents (id) on delete cascade,
    text        text not null
) strict, without rowid;

create table chunks (
    id          integer primary key autoincrement,
    uid         text    not null,
    document_id text    not null references documents (id) on delete cascade,
    generation  integer not null,
    ordinal     integer not null,
    heading     text    not null default '',
    page        integer,
    start_at    integer not null,
    end_at      integer not null,
    text        text    not null
) strict;

create unique index chunks_by_uid on chunks (uid);

create index chunks_by_document on chunks (document_id, generation, ordinal);

-- Words of chunks, made from them: not copied, made anew where they are missing. Stems of Russian words come from the program, those of English ones from the tokenizer.
create virtual table fts_chunks using fts5 (words, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2');
