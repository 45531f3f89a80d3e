-- name: GetPersonKey :one
SELECT id, wrapped_key FROM audit.person_keys WHERE person_id = @person_id;

-- name: InsertPersonKey :execrows
-- Nothing is inserted when the person has a key already.
INSERT INTO audit.person_keys (person_id, id, wrapped_key) VALUES (@person_id, @id, @wrapped_key)
ON CONFLICT (person_id) DO NOTHING;
