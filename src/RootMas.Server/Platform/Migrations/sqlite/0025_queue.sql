-- Runs that can wait for those that somebody sits in front of.
ALTER TABLE runs ADD COLUMN background INTEGER NOT NULL DEFAULT 0;


-- "This run needs a worker", written in the transaction that made it so, until the broker has confirmed it. Order does not matter, so several relays take rows beside each other.
CREATE TABLE run_wakeups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     TEXT NOT NULL,
    queue      INTEGER NOT NULL,  -- BrokerQueue
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    taken_at   INTEGER  -- a relay is publishing it
) STRICT;

-- New root runs that no worker has begun, where a broker hands them over: each user has a few of them with the broker at a time, so that nobody waits behind a thousand of somebody else's.
CREATE TABLE run_turns (
    run_id     TEXT NOT NULL PRIMARY KEY,
    owner_id   TEXT NOT NULL,
    background INTEGER NOT NULL,
    offered    INTEGER NOT NULL  -- 1: the broker has it
) STRICT;

CREATE INDEX ix_run_turns ON run_turns (owner_id, offered, background, run_id);

-- What is not tried again until an operator says so: messages that nobody can read, and runs that were given up.
CREATE TABLE dead_letters (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,  -- message or run
    run_id     TEXT,
    owner_id   TEXT,
    queue      TEXT,  -- where the message was
    reason     TEXT NOT NULL,
    body       TEXT,  -- of a message, cut off
    deliveries INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX ix_dead_letters_owner ON dead_letters (owner_id) WHERE owner_id IS NOT NULL;
