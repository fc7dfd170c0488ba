-- Memory: what is remembered about one owner (a user, or an external subject of one), and notes of the team (owner '*team').

-- Raised by every change of an owner's memory, as the first thing in its transaction: so changes of one owner go one after the other.
create table memory_owners (
    owner_id   text collate "C" not null primary key,
    version    bigint not null,
    updated_at bigint not null
);

create table memory_facts (
    id              text collate "C" not null primary key,
    owner_id        text collate "C" not null,
    thread_id       text collate "C" not null, -- id of the first version; later ones replaced it
    attribute       text collate "C", -- what only one can be true of at a time (home, name, …); null: several can
    text            text collate "C" not null,
    norm            text collate "C" not null, -- the text without case and punctuation: equal means the same fact
    status          text collate "C" not null, -- active | proposed | superseded
    author_kind     text collate "C" not null, -- user | agent | extraction
    author          text collate "C" not null, -- user id, or name of the agent
    conversation_id text collate "C",
    message_id      text collate "C", -- the message it comes from; null: entered by hand
    run_id          text collate "C",
    excerpt         text collate "C", -- the words of that message
    confidence      bigint not null, -- 0 to 100
    sensitivity     text collate "C" not null, -- normal | sensitive
    tainted         bigint not null default 0,
    valid_from      bigint not null,
    valid_until     bigint,
    replaced_by     text collate "C",
    embedded        bigint not null default 0, -- its vector is there
    created_at      bigint not null,
    updated_at      bigint not null,
    ended_at        bigint
);

create index memory_facts_by_owner on memory_facts (owner_id, status, id);

create index memory_facts_by_thread on memory_facts (owner_id, thread_id);

create index memory_facts_to_embed on memory_facts (id) where embedded = 0;

create unique index memory_facts_attribute on memory_facts (owner_id, attribute) where status = 'active' and attribute is not null;

-- What calls of tools did, so that a repeated call does nothing again.
create table memory_calls (
    call_key   text collate "C" not null primary key,
    owner_id   text collate "C" not null,
    result     text collate "C" not null,
    created_at bigint not null
);

create index memory_calls_by_owner on memory_calls (owner_id);

create index memory_calls_by_time on memory_calls (created_at);

-- Exchanges from which facts are still to be taken: written with the end of their run, gone with the facts.
create table memory_jobs (
    run_id          text collate "C" not null primary key,
    owner_id        text collate "C" not null,
    conversation_id text collate "C" not null,
    message_id      text collate "C" not null,
    due_at          bigint not null,
    claim           text collate "C", -- who works on it
    claimed_until   bigint,
    attempts        bigint not null default 0,
    created_at      bigint not null
);

create index memory_jobs_by_due on memory_jobs (due_at);

create index memory_jobs_by_owner on memory_jobs (owner_id, conversation_id);

-- Vectors whose rows are gone, until they are gone too.
create table memory_gone (
    id         text collate "C" not null primary key,
    space      text collate "C" not null,
    created_at bigint not null
);
