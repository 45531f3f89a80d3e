-- name: GetNote :one
SELECT sealed FROM meditation.notes WHERE user_id = sqlc.arg(user_id) AND client_id = sqlc.arg(client_id);

-- name: PutNote :exec
INSERT INTO meditation.notes (user_id, client_id, sealed) VALUES (sqlc.arg(user_id), sqlc.arg(client_id), sqlc.arg(sealed))
ON CONFLICT (user_id, client_id) DO UPDATE SET sealed = excluded.sealed;

-- name: DeleteNote :exec
DELETE FROM meditation.notes WHERE user_id = sqlc.arg(user_id) AND client_id = sqlc.arg(client_id);
