-- The knowledge graph: entities and typed relations of one realm (a user, 'collection:ID', or '*team'), each relation with what says so.

create table graph_entities (
    id         text    not null primary key,
    realm  text    not null,
    name       text    not null,
    norm       text    not null,
    type       text    not null,                      -- person | organization | place | product | event | concept | thing
    embedded   integer not null default 0,
    created_at integer not null,
    updated_at integer not null
) strict, without rowid;

create index graph_entities_by_realm on graph_entities (realm, id);

create index graph_entities_to_embed on graph_entities (id) where embedded = 0;

-- Every name under which an entity is known.
create table graph_names (
    realm text not null,
    norm      text not null,
    type      text not null,
    entity_id text not null,
    name      text not null,
    primary key (realm, norm, type)
) strict, without rowid;

create index graph_names_by_entity on graph_names (entity_id);

-- Full text: words of names and of what says so.
create table graph_words (
    realm text not null,
    word      text not null,
    entity_id text not null,
    primary key (realm, word, entity_id)
) strict, without rowid;

create index graph_words_by_entity on graph_words (entity_id);

create table graph_relations (
    id          text    not null primary key,
    realm   text    not null,
    from_id     text    not null,
    to_id       text    not null,
    type        text    not null,
    weight      integer not null,                     -- how sure it is by all that says so, in millionths
    valid_from  integer not null,
    valid_until integer,
    created_at  integer not null,
    updated_at  integer not null
) strict, without rowid;

create unique index graph_relations_once on graph_relations (from_id, type, to_id);

create index graph_relations_to on graph_relations (to_id);

create index graph_relations_by_realm on graph_relations (realm, id);

create table graph_evidence (
    relation_id text    not null,
    source_kind text    not null,                     -- fact | document
    source_id   text    not null,                     -- the fact, or the chunk
    document_id text,
    excerpt     text    not null,
    confidence  integer not null,                     -- 0 to 100
    tainted     integer not null default 0,
    created_at  integer not null,
    primary key (relation_id, source_kind, source_id)
) strict, without rowid;

create index graph_evidence_by_source on graph_evidence (source_kind, source_id);

create index graph_evidence_by_document on graph_evidence (document_id) where document_id is not null;

-- Texts that are still to be read for the graph.
create table graph_jobs (
    source_kind text    not null,
    source_id   text    not null,
    realm   text    not null,
    owner_id    text    not null,
    document_id text,
    tainted     integer not null default 0,
    text        text    not null,
    claim       text,
    claimed_until integer,
    attempts    integer not null default 0,
    created_at  integer not null,
    primary key (source_kind, source_id)
) strict, without rowid;

create index graph_jobs_by_time on graph_jobs (created_at);

create index graph_jobs_by_realm on graph_jobs (realm);

create index graph_jobs_by_document on graph_jobs (document_id) where document_id is not null;
