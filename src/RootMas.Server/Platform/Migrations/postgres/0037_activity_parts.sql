-- What agents did, counted when their runs end. One row for each agent is one that all runs of an installation wait for, each until the commit of the one before is on disk: on PostgreSQL it lies in parts, and the sum counts.
-- The table before stays: what it counted is part of the sum, and older programs beside this one go on writing it.
CREATE TABLE agent_activity_parts (
    agent     TEXT COLLATE "C" NOT NULL,
    part      BIGINT NOT NULL,
    answers   BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    finished  BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    PRIMARY KEY (agent, part)
);
