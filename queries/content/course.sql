-- name: ListCourses :many
-- One page of the published courses in the order of (position, id), each with its published meditations in its own order.
SELECT sqlc.embed(c), p.meditation_ids, p.total_seconds FROM content.localised_courses c
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(m.id ORDER BY m.course_position, m.id), '{}')::uuid[] AS meditation_ids, coalesce(sum(m.duration_seconds), 0)::integer AS total_seconds
    FROM content.meditations m
    WHERE m.course_id = c.id AND m.published_at IS NOT NULL AND EXISTS (SELECT FROM content.meditation_texts t WHERE t.meditation_id = m.id)
) p
WHERE c.asked_locale = sqlc.arg(locale)::text
  AND (c.position, c.id) > (sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
  AND (sqlc.arg(category)::text = '' OR c.category = sqlc.arg(category)::text)
ORDER BY c.position, c.id
LIMIT sqlc.arg(page_size);

-- name: GetCourse :one
SELECT sqlc.embed(c) FROM content.localised_courses c WHERE c.id = sqlc.arg(id) AND c.asked_locale = sqlc.arg(locale)::text;

-- name: ListCourseMeditations :many
-- The published meditations of a course, in its order; a course has hundreds at most.
SELECT sqlc.embed(m) FROM content.meditations i
JOIN content.localised_meditations m ON m.id = i.id AND m.asked_locale = sqlc.arg(locale)::text
WHERE i.course_id = sqlc.arg(course_id)::uuid AND i.published_at IS NOT NULL
ORDER BY m.course_position, m.id
LIMIT 1000;

-- name: UpsertCourse :exec
-- Publishing a text publishes it. A slug that another one has is followed by eight digits of the id.
INSERT INTO content.courses (id, slug, position, category, created_at)
SELECT sqlc.arg(id)::uuid, CASE WHEN EXISTS (SELECT FROM content.courses x WHERE x.slug = sqlc.arg(slug)::text AND x.id <> sqlc.arg(id)::uuid)
           THEN sqlc.arg(slug)::text || '-' || left(sqlc.arg(id)::uuid::text, 8) ELSE sqlc.arg(slug)::text END,
       sqlc.arg(position)::integer, sqlc.narg(category)::text, sqlc.arg(created_at)::timestamptz
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, position = excluded.position, category = excluded.category, version = courses.version + 1
WHERE (courses.slug, courses.position, courses.category) IS DISTINCT FROM (excluded.slug, excluded.position, excluded.category);
