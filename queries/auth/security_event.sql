-- name: InsertSecurityEvent :exec
INSERT INTO auth.security_events (account_id, id, kind, device, network, created_at)
VALUES (sqlc.arg(account_id), sqlc.arg(id), sqlc.arg(kind), sqlc.arg(device), sqlc.arg(network), sqlc.arg(created_at));

-- name: GetSecurityEvent :one
SELECT * FROM auth.security_events WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id);

-- name: ListSecurityEvents :many
-- Newest first; ids are made in the order of time.
SELECT * FROM auth.security_events WHERE account_id = sqlc.arg(account_id) AND id < sqlc.arg(before_id)
ORDER BY id DESC LIMIT sqlc.arg(page_size);
