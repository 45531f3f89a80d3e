-- name: InsertExport :execrows
-- Nothing while another one of the person is being made.
INSERT INTO users.exports (user_id, id, requested_by, by_support, requested_at)
VALUES (sqlc.arg(user_id), sqlc.arg(id), sqlc.narg(requested_by)::uuid, sqlc.narg(requested_by)::uuid IS NOT NULL, sqlc.arg(requested_at))
ON CONFLICT (user_id) WHERE state = 'pending' DO NOTHING;

-- name: GetPendingExport :one
SELECT id FROM users.exports WHERE user_id = sqlc.arg(user_id) AND state = 'pending';

-- name: GetExport :one
SELECT * FROM users.exports WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id);

-- name: ListExports :many
SELECT * FROM users.exports WHERE user_id = sqlc.arg(user_id) ORDER BY id DESC LIMIT 100;

-- name: FinishExport :execrows
UPDATE users.exports SET state = 'ready', ready_at = sqlc.arg(ready_at)::timestamptz, expires_at = sqlc.arg(expires_at)::timestamptz,
    blob_key = sqlc.arg(blob_key)::text, sealed_key = sqlc.arg(sealed_key)::bytea, size_bytes = sqlc.arg(size_bytes)::bigint
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) AND state = 'pending';

-- name: FailExport :execrows
UPDATE users.exports SET state = 'failed' WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) AND state = 'pending';

-- name: ListExpiredExports :many
SELECT user_id, id, blob_key FROM users.exports WHERE state = 'ready' AND expires_at <= sqlc.arg(now)::timestamptz ORDER BY expires_at LIMIT sqlc.arg(batch);

-- name: ExpireExport :execrows
UPDATE users.exports SET state = 'expired', blob_key = NULL, sealed_key = NULL WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) AND state = 'ready';

-- name: ListStaleExports :many
-- Begun before a time, and still not made.
SELECT user_id, id FROM users.exports WHERE state = 'pending' AND requested_at < sqlc.arg(before)::timestamptz ORDER BY requested_at LIMIT sqlc.arg(batch);

-- name: WithdrawExports :many
-- Ends the person's exports, made and under way: without its key a file opens for nobody.
UPDATE users.exports SET state = CASE state WHEN 'pending' THEN 'failed' ELSE 'expired' END, blob_key = NULL, sealed_key = NULL
WHERE user_id = sqlc.arg(user_id) AND state = ANY(ARRAY['pending', 'ready']) RETURNING id;
