-- API keys. The secret is 256 random bits, so its plain SHA-256 cannot be guessed back; a slow hash would only slow every request down.
create table api_keys (
    id           text collate "C" not null primary key,
    user_id      text collate "C" not null references users (id) on delete cascade,
    name         text collate "C" not null,
    hint         text collate "C" not null,  -- the secret's first characters, so that people can tell keys apart
    hash         bytea not null unique,  -- SHA-256 of the secret
    scopes       text collate "C",  -- JSON array; null: all that the user may do
    created_at   bigint not null,
    expires_at   bigint,
    last_used_at bigint,  -- written at most once a minute
    revoked_at   bigint
);

create index api_keys_by_user on api_keys (user_id, id);

-- For whom a user of role agent speaks (ids or names), and what one user may do beyond their role: JSON arrays, null for none.
alter table users add column acts_for text collate "C";
alter table users add column grants text collate "C";
