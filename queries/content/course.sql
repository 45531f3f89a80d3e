-- name: UpsertCourse :exec
INSERT INTO content.courses (id, slug, position, created_at) VALUES (sqlc.arg(id), sqlc.arg(slug), sqlc.arg(position), sqlc.arg(created_at))
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, position = excluded.position;

-- name: UpsertCourseText :exec
INSERT INTO content.course_texts (course_id, locale, title, description) VALUES (sqlc.arg(course_id), sqlc.arg(locale), sqlc.arg(title), sqlc.arg(description))
ON CONFLICT (course_id, locale) DO UPDATE SET title = excluded.title, description = excluded.description;
