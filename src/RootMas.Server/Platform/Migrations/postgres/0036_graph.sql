-- The knowledge graph: entities and typed relations of one realm (a user, 'collection:ID', or '*team'), each relation with what says so.

create table graph_entities (
    id         text collate "C" not null primary key,
    realm  text collate "C" not null,
    name       text collate "C" not null,
    norm       text collate "C" not null,
    type       text collate "C" not null, -- person | organization | place | product | event | concept | thing
    embedded   bigint not null default 0,
    created_at bigint not null,
    updated_at bigint not null
);

create index graph_entities_by_realm on graph_entities (realm, id);

create index graph_entities_to_embed on graph_entities (id) where embedded = 0;

-- Every name under which an entity is known.
create table graph_names (
    realm text collate "C" not null,
    norm      text collate "C" not null,
    type      text collate "C" not null,
    entity_id text collate "C" not null,
    name      text collate "C" not null,
    primary key (realm, norm, type)
);

create index graph_names_by_entity on graph_names (entity_id);

-- Full text: words of names and of what says so.
create table graph_words (
    realm text collate "C" not null,
    word      text collate "C" not null,
    entity_id text collate "C" not null,
    primary key (realm, word, entity_id)
);

create index graph_words_by_entity on graph_words (entity_id);

create table graph_relations (
    id          text collate "C" not null primary key,
    realm   text collate "C" not null,
    from_id     text collate "C" not null,
    to_id       text collate "C" not null,
    type        text collate "C" not null,
    weight      bigint not null, -- how sure it is by all that says so, in millionths
    valid_from  bigint not null,
    valid_until bigint,
    created_at  bigint not null,
    updated_at  bigint not null
);

create unique index graph_relations_once on graph_relations (from_id, type, to_id);

create index graph_relations_to on graph_relations (to_id);

create index graph_relations_by_realm on graph_relations (realm, id);

create table graph_evidence (
    relation_id text collate "C" not null,
    source_kind text collate "C" not null, -- fact | document
    source_id   text collate "C" not null, -- the fact, or the chunk
    document_id text collate "C",
    excerpt     text collate "C" not null,
    confidence  bigint not null, -- 0 to 100
    tainted     bigint not null default 0,
    created_at  bigint not null,
    primary key (relation_id, source_kind, source_id)
);

create index graph_evidence_by_source on graph_evidence (source_kind, source_id);

create index graph_evidence_by_document on graph_evidence (document_id) where document_id is not null;

-- Texts that are still to be read for the graph.
create table graph_jobs (
    source_kind text collate "C" not null,
    source_id   text collate "C" not null,
    realm   text collate "C" not null,
    owner_id    text collate "C" not null,
    document_id text collate "C",
    tainted     bigint not null default 0,
    text        text collate "C" not null,
    claim       text collate "C",
    claimed_until bigint,
    attempts    bigint not null default 0,
    created_at  bigint not null,
    primary key (source_kind, source_id)
);

create index graph_jobs_by_time on graph_jobs (created_at);

create index graph_jobs_by_realm on graph_jobs (realm);

create index graph_jobs_by_document on graph_jobs (document_id) where document_id is not null;
