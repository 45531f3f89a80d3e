-- name: UpsertMedia :one
-- A key stands for the same bytes for ever: given others, it writes nothing and returns no row.
INSERT INTO content.media (id, blob_key, content_type, size_bytes, sha256, duration_seconds, loops, created_at)
VALUES (sqlc.arg(id), sqlc.arg(blob_key), sqlc.arg(content_type), sqlc.arg(size_bytes), sqlc.arg(sha256), sqlc.arg(duration_seconds), sqlc.arg(loops), sqlc.arg(created_at))
ON CONFLICT (blob_key) DO UPDATE SET
    content_type = excluded.content_type, duration_seconds = excluded.duration_seconds, loops = excluded.loops
WHERE media.sha256 = excluded.sha256 AND media.size_bytes = excluded.size_bytes
RETURNING id;

-- name: GetMedia :one
SELECT * FROM content.media WHERE id = sqlc.arg(id);

-- name: ListMedia :many
SELECT * FROM content.media WHERE id = ANY(sqlc.arg(ids)::uuid[]) ORDER BY id;
