-- What agents did, counted when their runs end. One row for each agent is one that all runs of an installation wait for, each until the commit of the one before is on disk: on PostgreSQL it lies in parts, and the sum counts.
-- The table before stays: what it counted is part of the sum, and older programs beside this one go on writing it.
CREATE TABLE agent_activity_parts (
    agent     TEXT NOT NULL,
    part      INTEGER NOT NULL,
    answers   INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    finished  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (agent, part)
) STRICT, WITHOUT ROWID;
