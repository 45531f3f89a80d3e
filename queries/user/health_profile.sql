-- name: GetHealthProfile :one
SELECT * FROM users.health_profiles WHERE user_id = sqlc.arg(user_id);

-- name: PutHealthProfile :one
INSERT INTO users.health_profiles AS h (user_id, sealed, revision, updated_at)
VALUES (sqlc.arg(user_id), sqlc.arg(sealed), 1, sqlc.arg(now)::timestamptz)
ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, revision = h.revision + 1, updated_at = excluded.updated_at
RETURNING revision;

-- name: DeleteHealthProfile :execrows
DELETE FROM users.health_profiles WHERE user_id = sqlc.arg(user_id);

-- name: GetHealthProfileDate :one
-- That there is one, and since when, for those who may not see it.
SELECT updated_at FROM users.health_profiles WHERE user_id = sqlc.arg(user_id);
