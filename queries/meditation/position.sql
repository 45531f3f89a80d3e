-- name: SavePositions :many
-- The latest moment wins; of two that are the same, the stored one. Gives what is stored then. Sorted, so that two requests do not wait for each other.
INSERT INTO meditation.positions (user_id, meditation_id, position_seconds, at)
SELECT sqlc.arg(user_id), n.meditation_id, n.position_seconds, n.at
FROM (
    SELECT unnest(sqlc.arg(meditation_ids)::uuid[]) AS meditation_id, unnest(sqlc.arg(position_seconds)::integer[]) AS position_seconds,
        unnest(sqlc.arg(ats)::timestamptz[]) AS at
) n ORDER BY n.meditation_id LIMIT 100
ON CONFLICT (user_id, meditation_id) DO UPDATE SET
    position_seconds = CASE WHEN excluded.at > positions.at THEN excluded.position_seconds ELSE positions.position_seconds END,
    at = greatest(excluded.at, positions.at)
RETURNING *;

-- name: ListPositions :many
-- Latest first.
SELECT * FROM meditation.positions
WHERE user_id = sqlc.arg(user_id) AND (sqlc.narg(meditation_id)::uuid IS NULL OR meditation_id = sqlc.narg(meditation_id)::uuid)
    AND at <= sqlc.arg(before_at) AND (at < sqlc.arg(before_at) OR meditation_id > sqlc.arg(after_id)::uuid)
ORDER BY at DESC, meditation_id LIMIT sqlc.arg(page_size);
