-- name: ListSigningKeys :many
SELECT * FROM auth.signing_keys ORDER BY signs_from DESC, id LIMIT 100;

-- name: LockSigningKeys :exec
-- Processes that start at once make one key between them.
SELECT pg_advisory_xact_lock(hashtext('mindspace auth signing keys'));

-- name: InsertSigningKey :exec
INSERT INTO auth.signing_keys (id, public_key, private_key, created_at, signs_from)
VALUES (sqlc.arg(id), sqlc.arg(public_key), sqlc.arg(private_key), sqlc.arg(created_at), sqlc.arg(signs_from));

-- name: DeleteSigningKeys :exec
DELETE FROM auth.signing_keys WHERE id = ANY(sqlc.arg(ids)::text[]);
