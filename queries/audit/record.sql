-- name: InsertRecord :exec
-- Inserts a record and marks it as unsealed, in one statement.
WITH record AS (
    INSERT INTO audit.records (
        id, actor_kind, actor_id, actor_roles, action, subject_type, subject_id,
        person_id, key_id, before, after, request_id, address_prefix
    ) VALUES (
        @id, @actor_kind, @actor_id, @actor_roles, @action, @subject_type, @subject_id,
        @person_id, @key_id, @before, @after, @request_id, @address_prefix
    )
    RETURNING id
)
INSERT INTO audit.unsealed (record_id) SELECT id FROM record;

-- name: GetRecord :one
SELECT * FROM audit.records WHERE id = @id;

-- name: ListRecordStates :many
-- The records after an id, in the order of ids, and whether each is in the chain or waits to be.
SELECT r.id,
       EXISTS (SELECT FROM audit.links l WHERE l.record_id = r.id) AS sealed,
       EXISTS (SELECT FROM audit.unsealed u WHERE u.record_id = r.id) AS unsealed
FROM audit.records r
WHERE r.id > @after_id
ORDER BY r.id
LIMIT @page_size;
