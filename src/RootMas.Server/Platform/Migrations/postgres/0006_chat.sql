-- Conversations are trees of messages. A branch is one path through the tree that runs work on one after the other.

create table conversations (
    id           text collate "C" not null primary key,
    owner_id     text collate "C" not null,
    title        text collate "C" not null,
    team         text collate "C",
    kind         text collate "C" not null default 'chat',  -- chat | api: a call of the OpenAI-compatible API, not listed
    archived     bigint not null default 0,
    pinned       bigint not null default 0,
    is_default   bigint not null default 0,  -- the one that goes on where a caller names a user and no conversation
    current_leaf text collate "C",  -- the message a client without a choice of its own goes on from
    created_at   bigint not null,
    updated_at   bigint not null,
    version      bigint not null default 1           -- raised by every change a client may make: the ETag
);

create index conversations_by_owner on conversations (owner_id, updated_at desc, id desc) where kind = 'chat';

create unique index conversations_default on conversations (owner_id) where is_default = 1;

create table messages (
    id              text collate "C" not null primary key,
    conversation_id text collate "C" not null references conversations (id) on delete cascade,
    owner_id        text collate "C" not null,
    parent_id       text collate "C",  -- null: a root, or not yet placed (depth 0)
    branch_id       text collate "C" not null,
    depth           bigint not null,  -- 1 at the root; 0 while the message waits behind its branch
    role            text collate "C" not null,  -- user | assistant | tool
    content         text collate "C" not null,
    agent           text collate "C",
    run_id          text collate "C",
    status          text collate "C" not null,  -- complete | interrupted | queued | question
    tainted         bigint not null default 0,
    dead            bigint not null default 0,  -- rolled back: kept for the log, no part of any history
    citations       text collate "C",
    metadata        text collate "C",
    created_at      bigint not null
);

-- The leaf of a branch is its deepest living message.
create index messages_by_branch on messages (conversation_id, branch_id, depth);

create index messages_by_owner on messages (owner_id, created_at, id);

create table feedback (
    message_id text collate "C" not null references messages (id) on delete cascade,
    owner_id   text collate "C" not null,
    score      bigint not null check (score in (-1, 1)),
    reason     text collate "C",
    created_at bigint not null,
    updated_at bigint not null,
    primary key (message_id, owner_id)
);
