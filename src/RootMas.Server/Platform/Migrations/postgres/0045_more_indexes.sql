-- Vectors are read and removed by the ids of their texts, whatever model made them: without this, by a walk over the whole space.
CREATE INDEX vectors_by_id ON vectors (space, id);

-- Whatever changes a user's memory ends the answers that were kept for them.
CREATE INDEX cached_answers_owner ON cached_answers (owner_id);

-- Acts are asked for by id or name of who did them.
CREATE INDEX audit_actor_name ON audit (actor_name, id) WHERE actor_name IS NOT NULL;
