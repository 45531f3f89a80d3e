-- name: ListItems :many
-- One page of the items in the order of (kind, position, id). The pattern is one of ILIKE, or empty.
SELECT sqlc.embed(i) FROM content.items i
WHERE (i.kind, i.position, i.id) > (sqlc.arg(after_kind)::text, sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
  AND (sqlc.arg(kind)::text = '' OR i.kind = sqlc.arg(kind)::text)
  AND (sqlc.arg(state)::text = '' OR EXISTS (
      SELECT FROM content.revisions r WHERE r.kind = i.kind AND r.item_id = i.id AND r.state = sqlc.arg(state)::text
  ))
  AND (sqlc.arg(pattern)::text = '' OR i.slug ILIKE sqlc.arg(pattern)::text OR EXISTS (
      SELECT FROM content.revisions r WHERE r.kind = i.kind AND r.item_id = i.id AND r.title ILIKE sqlc.arg(pattern)::text
         AND CASE sqlc.arg(state)::text WHEN '' THEN r.state <> 'archived' ELSE r.state = sqlc.arg(state)::text END
  ))
ORDER BY i.kind, i.position, i.id
LIMIT sqlc.arg(page_size);

-- name: GetItem :one
SELECT sqlc.embed(i) FROM content.items i WHERE i.kind = sqlc.arg(kind)::text AND i.id = sqlc.arg(id);

-- name: LockMeditation :one
-- Makes those who change a meditation or its texts take turns.
SELECT id, version, course_id FROM content.meditations WHERE id = sqlc.arg(id) FOR NO KEY UPDATE;

-- name: LockCourse :one
-- Makes those who change a course or its texts take turns, and those who put its title into the keywords of its meditations.
SELECT id, version FROM content.courses WHERE id = sqlc.arg(id) FOR NO KEY UPDATE;

-- name: HoldCourses :many
-- Keeps the titles of courses as they are until the end of the transaction.
SELECT id FROM content.courses WHERE id = ANY(sqlc.arg(ids)::uuid[]) ORDER BY id FOR SHARE;

-- name: ListKnownTags :many
SELECT code FROM content.tags WHERE code = ANY(sqlc.arg(codes)::text[]);

-- name: InsertMeditation :exec
INSERT INTO content.meditations (id, slug, position, category, level, duration_seconds, voice, tags, media_id, course_id, course_position, created_at)
VALUES (sqlc.arg(id), sqlc.arg(slug), sqlc.arg(position), sqlc.arg(category), sqlc.arg(level), sqlc.arg(duration_seconds), sqlc.arg(voice), sqlc.arg(tags), sqlc.arg(media_id), sqlc.arg(course_id), sqlc.arg(course_position), sqlc.arg(created_at));

-- name: UpdateMeditation :exec
UPDATE content.meditations SET
    position = sqlc.arg(position), category = sqlc.arg(category), level = sqlc.arg(level), duration_seconds = sqlc.arg(duration_seconds), voice = sqlc.arg(voice),
    tags = sqlc.arg(tags), media_id = sqlc.arg(media_id), course_id = sqlc.arg(course_id), course_position = sqlc.arg(course_position), version = version + 1
WHERE id = sqlc.arg(id);

-- name: InsertCourse :exec
INSERT INTO content.courses (id, slug, position, category, created_at)
VALUES (sqlc.arg(id), sqlc.arg(slug), sqlc.arg(position), sqlc.arg(category), sqlc.arg(created_at));

-- name: UpdateCourse :exec
UPDATE content.courses SET position = sqlc.arg(position), category = sqlc.arg(category), version = version + 1 WHERE id = sqlc.arg(id);

-- name: ListSounds :many
-- One page of the sounds, newest first.
SELECT * FROM content.media
WHERE (created_at, id) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::uuid)
ORDER BY created_at DESC, id DESC
LIMIT sqlc.arg(page_size);
