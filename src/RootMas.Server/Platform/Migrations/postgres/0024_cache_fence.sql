-- Until when no instance may give kept answers: put up by one that changed something and cannot tell Redis.
CREATE TABLE cache_fence (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    until BIGINT NOT NULL
);
