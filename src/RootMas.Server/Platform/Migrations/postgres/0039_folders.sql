-- The folder that its owner has put a conversation into; null: none.
ALTER TABLE conversations ADD COLUMN folder TEXT COLLATE "C";
