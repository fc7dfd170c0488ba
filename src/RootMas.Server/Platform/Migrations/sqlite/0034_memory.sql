-- Memory: what is remembered about one owner (a user, or an external subject of one), and notes of the team (owner '*team').

-- Raised by every change of an owner's memory, as the first thing in its transaction: so changes of one owner go one after the other.
create table memory_owners (
    owner_id   text    not null primary key,
    version    integer not null,
    updated_at integer not null
) strict, without rowid;

create table memory_facts (
    id              text    not null primary key,
    owner_id        text    not null,
    thread_id       text    not null,                 -- id of the first version; later ones replaced it
    attribute       text,                             -- what only one can be true of at a time (home, name, …); null: several can
    text            text    not null,
    norm            text    not null,                 -- the text without case and punctuation: equal means the same fact
    status          text    not null,                 -- active | proposed | superseded
    author_kind     text    not null,                 -- user | agent | extraction
    author          text    not null,                 -- user id, or name of the agent
    conversation_id text,
    message_id      text,                             -- the message it comes from; null: entered by hand
    run_id          text,
    excerpt         text,                             -- the words of that message
    confidence      integer not null,                 -- 0 to 100
    sensitivity     text    not null,                 -- normal | sensitive
    tainted         integer not null default 0,
    valid_from      integer not null,
    valid_until     integer,
    replaced_by     text,
    embedded        integer not null default 0,       -- its vector is there
    created_at      integer not null,
    updated_at      integer not null,
    ended_at        integer
) strict, without rowid;

create index memory_facts_by_owner on memory_facts (owner_id, status, id);

create index memory_facts_by_thread on memory_facts (owner_id, thread_id);

create index memory_facts_to_embed on memory_facts (id) where embedded = 0;

create unique index memory_facts_attribute on memory_facts (owner_id, attribute) where status = 'active' and attribute is not null;

-- What calls of tools did, so that a repeated call does nothing again.
create table memory_calls (
    call_key   text    not null primary key,
    owner_id   text    not null,
    result     text    not null,
    created_at integer not null
) strict, without rowid;

create index memory_calls_by_owner on memory_calls (owner_id);

create index memory_calls_by_time on memory_calls (created_at);

-- Exchanges from which facts are still to be taken: written with the end of their run, gone with the facts.
create table memory_jobs (
    run_id          text    not null primary key,
    owner_id        text    not null,
    conversation_id text    not null,
    message_id      text    not null,
    due_at          integer not null,
    claim           text,                             -- who works on it
    claimed_until   integer,
    attempts        integer not null default 0,
    created_at      integer not null
) strict, without rowid;

create index memory_jobs_by_due on memory_jobs (due_at);

create index memory_jobs_by_owner on memory_jobs (owner_id, conversation_id);

-- Vectors whose rows are gone, until they are gone too.
create table memory_gone (
    id         text    not null primary key,
    space      text    not null,
    created_at integer not null
) strict, without rowid;
