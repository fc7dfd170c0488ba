-- Since when its owner shows a root run, and all below it, to everybody who is signed in; null: to nobody.
ALTER TABLE runs ADD COLUMN shared_at INTEGER;
