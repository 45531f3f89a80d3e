-- name: ListCourseProgress :many
-- Courses of which something was practised, with the meditations that were finished, and when they were practised last.
SELECT s.course_id, coalesce(array_agg(DISTINCT s.meditation_id) FILTER (WHERE s.finished), '{}')::uuid[] AS finished, max(s.started_at)::timestamptz AS last_started_at
FROM meditation.sessions s
WHERE s.user_id = sqlc.arg(user_id) AND s.course_id = ANY(sqlc.arg(course_ids)::uuid[]) AND s.state <> 'deleted' AND s.state <> 'running' AND s.practiced_seconds > 0
GROUP BY s.course_id;

-- name: ListCourseCompletions :many
SELECT course_id, completed_at FROM meditation.course_completions WHERE user_id = sqlc.arg(user_id) AND course_id = ANY(sqlc.arg(course_ids)::uuid[]);

-- name: CountFinished :one
-- How many of the meditations were finished in the course.
SELECT count(DISTINCT s.meditation_id) FROM meditation.sessions s
WHERE s.user_id = sqlc.arg(user_id) AND s.course_id = sqlc.arg(course_id)::uuid AND s.meditation_id = ANY(sqlc.arg(meditation_ids)::uuid[])
    AND s.state <> 'deleted' AND s.state <> 'running' AND s.finished;

-- name: ListRecent :many
-- The meditations among the last sessions, latest first, each once.
SELECT l.meditation_id::uuid AS meditation_id, max(l.started_at)::timestamptz AS last_started_at
FROM (
    SELECT s.meditation_id, s.started_at FROM meditation.sessions s
    WHERE s.user_id = sqlc.arg(user_id) AND s.state <> 'deleted' AND s.state <> 'running' AND s.practiced_seconds > 0
    ORDER BY s.started_at DESC, s.id DESC LIMIT sqlc.arg(sessions)
) l
WHERE l.meditation_id IS NOT NULL
GROUP BY l.meditation_id ORDER BY 2 DESC, 1 LIMIT sqlc.arg(meditations);
