-- The oldest program that can work on the schema after a migration, named by the newest migration that it knows; NULL: none but those that know it.
ALTER TABLE schema_migrations ADD COLUMN usable_from INTEGER;
