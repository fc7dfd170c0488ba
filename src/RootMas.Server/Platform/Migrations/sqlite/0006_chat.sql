-- Conversations are trees of messages. A branch is one path through the tree that runs work on one after the other.

create table conversations (
    id           text    not null primary key,
    owner_id     text    not null,
    title        text    not null,
    team         text,
    kind         text    not null default 'chat',     -- chat | api: a call of the OpenAI-compatible API, not listed
    archived     integer not null default 0,
    pinned       integer not null default 0,
    is_default   integer not null default 0,          -- the one that goes on where a caller names a user and no conversation
    current_leaf text,                                -- the message a client without a choice of its own goes on from
    created_at   integer not null,
    updated_at   integer not null,
    version      integer not null default 1           -- raised by every change a client may make: the ETag
) strict, without rowid;

create index conversations_by_owner on conversations (owner_id, updated_at desc, id desc) where kind = 'chat';

create unique index conversations_default on conversations (owner_id) where is_default = 1;

create table messages (
    id              text    not null primary key,
    conversation_id text    not null references conversations (id) on delete cascade,
    owner_id        text    not null,
    parent_id       text,                             -- null: a root, or not yet placed (depth 0)
    branch_id       text    not null,
    depth           integer not null,                 -- 1 at the root; 0 while the message waits behind its branch
    role            text    not null,                 -- user | assistant | tool
    content         text    not null,
    agent           text,
    run_id          text,
    status          text    not null,                 -- complete | interrupted | queued | question
    tainted         integer not null default 0,
    dead            integer not null default 0,       -- rolled back: kept for the log, no part of any history
    citations       text,
    metadata        text,
    created_at      integer not null
) strict, without rowid;

-- The leaf of a branch is its deepest living message.
create index messages_by_branch on messages (conversation_id, branch_id, depth);

create index messages_by_owner on messages (owner_id, created_at, id);

create table feedback (
    message_id text    not null references messages (id) on delete cascade,
    owner_id   text    not null,
    score      integer not null check (score in (-1, 1)),
    reason     text,
    created_at integer not null,
    updated_at integer not null,
    primary key (message_id, owner_id)
) strict, without rowid;
