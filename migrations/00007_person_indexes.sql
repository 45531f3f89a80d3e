-- +goose NO TRANSACTION
-- +goose Up
-- On tables that are in use and may be long: nobody waits while these are built. One that was cut short is left invalid, so it goes first.
DROP INDEX CONCURRENTLY IF EXISTS auth.accounts_erase_after;
CREATE INDEX CONCURRENTLY accounts_erase_after ON auth.accounts (erase_after, id) WHERE erase_after IS NOT NULL;

-- How support finds a person.
DROP INDEX CONCURRENTLY IF EXISTS auth.accounts_email_prefix;
CREATE INDEX CONCURRENTLY accounts_email_prefix ON auth.accounts (email text_pattern_ops);
DROP INDEX CONCURRENTLY IF EXISTS auth.accounts_name_words;
CREATE INDEX CONCURRENTLY accounts_name_words ON auth.accounts USING gin (to_tsvector('simple', translate(display_name, './@_-', '     ')));

-- What is recorded about a person, and by whom: receipts count it.
DROP INDEX CONCURRENTLY IF EXISTS audit.records_person_id;
CREATE INDEX CONCURRENTLY records_person_id ON audit.records (person_id) WHERE person_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS audit.records_actor_id;
CREATE INDEX CONCURRENTLY records_actor_id ON audit.records (actor_id);
DROP INDEX CONCURRENTLY IF EXISTS audit.records_subject_id;
CREATE INDEX CONCURRENTLY records_subject_id ON audit.records (subject_id);

-- +goose Down
DROP INDEX CONCURRENTLY audit.records_subject_id;
DROP INDEX CONCURRENTLY audit.records_actor_id;
DROP INDEX CONCURRENTLY audit.records_person_id;
DROP INDEX CONCURRENTLY auth.accounts_name_words;
DROP INDEX CONCURRENTLY auth.accounts_email_prefix;
DROP INDEX CONCURRENTLY auth.accounts_erase_after;
