-- name: ListGuards :many
SELECT * FROM auth.guards WHERE key = ANY(sqlc.arg(keys)::bytea[]);

-- name: LockGuard :one
-- The row, made when it is not there, and held until the end of the transaction.
INSERT INTO auth.guards AS g (key, level, updated_at, locked_until) VALUES (sqlc.arg(key), 0, sqlc.arg(now), to_timestamp(0))
ON CONFLICT (key) DO UPDATE SET key = g.key
RETURNING *;

-- name: SetGuard :exec
UPDATE auth.guards SET level = sqlc.arg(level), updated_at = sqlc.arg(now), locked_until = sqlc.arg(locked_until) WHERE key = sqlc.arg(key);

-- name: DeleteGuards :exec
DELETE FROM auth.guards WHERE key = ANY(sqlc.arg(keys)::bytea[]);
