-- usable from 0048
-- What a proposed fact would replace: ids with spaces between, for the day on which its user agrees. NULL: nothing, or it is no proposal.
ALTER TABLE memory_facts ADD COLUMN replaces TEXT COLLATE "C";
