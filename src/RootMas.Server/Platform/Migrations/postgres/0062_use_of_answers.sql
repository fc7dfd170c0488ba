-- usable from 0048
-- When a kept answer was last given: the longest unused go first. NULL: never.
ALTER TABLE cached_answers ADD COLUMN used_at BIGINT;

-- What the policy had expected of the kept answer, in millionths, so that its correction outlives the process. NULL: too unsure to count, or a version before this one wrote it.
ALTER TABLE cache_observations ADD COLUMN predicted BIGINT;
