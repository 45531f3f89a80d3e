-- name: ListChanges :many
-- Sessions and tombstones as they are now, in the order of their last changes, with their notes, which are looked up one by one: joined, the notes of a
-- person would all be gone through for each session.
SELECT sqlc.embed(s), n.sealed
FROM meditation.sessions s
LEFT JOIN LATERAL (SELECT o.sealed FROM meditation.notes o WHERE o.user_id = s.user_id AND o.client_id = s.client_id LIMIT 1) n ON true
WHERE s.user_id = sqlc.arg(user_id) AND (s.change, s.id) > (sqlc.arg(after_change)::bigint, sqlc.arg(after_id)::uuid)
ORDER BY s.change, s.id LIMIT sqlc.arg(page_size);

-- name: GetChange :one
-- How far a person's changes have come.
SELECT change FROM meditation.people WHERE user_id = sqlc.arg(user_id);
