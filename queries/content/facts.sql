-- name: ListFacts :many
-- What others need to know of meditations, published or not; all of them when no ids are given.
SELECT m.id, m.duration_seconds, m.course_id, p.course_meditation_ids FROM content.meditations m
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(x.id ORDER BY x.course_position, x.id), '{}')::uuid[] AS course_meditation_ids
    FROM content.meditations x
    WHERE x.course_id = m.course_id AND x.published_at IS NOT NULL AND EXISTS (SELECT FROM content.meditation_texts t WHERE t.meditation_id = x.id)
) p
WHERE cardinality(sqlc.arg(ids)::uuid[]) = 0 OR m.id = ANY(sqlc.arg(ids)::uuid[])
LIMIT sqlc.arg(at_most);
