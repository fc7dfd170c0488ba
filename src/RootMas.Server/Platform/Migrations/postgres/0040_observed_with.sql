-- What made the vectors whose nearness was observed; null: a version before this one wrote it, and nobody knows.
ALTER TABLE cache_observations ADD COLUMN embedder TEXT COLLATE "C";
