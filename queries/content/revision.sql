-- name: GetRevision :one
SELECT * FROM content.revisions WHERE id = sqlc.arg(id);

-- name: GetPublishedRevision :one
SELECT * FROM content.revisions WHERE kind = sqlc.arg(kind) AND item_id = sqlc.arg(item_id) AND locale = sqlc.arg(locale) AND state = 'published';

-- name: HasRevision :one
SELECT EXISTS (SELECT FROM content.revisions WHERE kind = sqlc.arg(kind) AND item_id = sqlc.arg(item_id) AND locale = sqlc.arg(locale));

-- name: GetOpenRevision :one
SELECT * FROM content.revisions
WHERE kind = sqlc.arg(kind) AND item_id = sqlc.arg(item_id) AND locale = sqlc.arg(locale) AND state IN ('draft', 'in_review', 'scheduled');

-- name: ListRevisions :many
-- One page of the revisions of an item, newest first.
SELECT * FROM content.revisions
WHERE kind = sqlc.arg(kind) AND item_id = sqlc.arg(item_id) AND (sqlc.arg(locale)::text = '' OR locale = sqlc.arg(locale)::text) AND id < sqlc.arg(before_id)
ORDER BY id DESC
LIMIT sqlc.arg(page_size);

-- name: ListStandingRevisions :many
-- The published and the open revisions of items, by language in the order of fallback.
SELECT sqlc.embed(r) FROM content.revisions r JOIN content.locales l ON l.code = r.locale
WHERE r.item_id = ANY(sqlc.arg(item_ids)::uuid[]) AND r.state IN ('draft', 'in_review', 'scheduled', 'published')
ORDER BY r.item_id, l.fallback_rank, r.number;

-- name: ListOverdueRevisions :many
-- Those that were to be published before a time, and are not.
SELECT id, schedule FROM content.revisions WHERE state = 'scheduled' AND publish_at < sqlc.arg(before)::timestamptz ORDER BY publish_at, id LIMIT sqlc.arg(at_most);

-- name: InsertRevision :one
-- Adds a revision with the next number. The item is locked.
INSERT INTO content.revisions (id, kind, item_id, locale, number, state, title, description, media_id, author_id, seeded, created_at, updated_at, published_at)
SELECT sqlc.arg(id), sqlc.arg(kind)::text, sqlc.arg(item_id)::uuid, sqlc.arg(locale)::text, coalesce(max(r.number), 0) + 1, sqlc.arg(state), sqlc.arg(title), sqlc.arg(description),
       sqlc.narg(media_id)::uuid, sqlc.narg(author_id)::uuid, sqlc.arg(seeded)::boolean, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz, sqlc.narg(published_at)::timestamptz
FROM content.revisions r WHERE r.kind = sqlc.arg(kind)::text AND r.item_id = sqlc.arg(item_id)::uuid AND r.locale = sqlc.arg(locale)::text
RETURNING *;

-- name: ChangeRevision :one
-- Changes an open revision. The item is locked.
UPDATE content.revisions SET
    state = sqlc.arg(state), title = sqlc.arg(title), description = sqlc.arg(description), media_id = sqlc.arg(media_id), publish_at = sqlc.arg(publish_at),
    schedule = sqlc.arg(schedule), job_id = sqlc.arg(job_id), author_id = sqlc.arg(author_id), reviewer_id = sqlc.arg(reviewer_id), publisher_id = sqlc.arg(publisher_id),
    published_at = sqlc.arg(published_at), updated_at = sqlc.arg(updated_at), version = version + 1
WHERE id = sqlc.arg(id) AND state IN ('draft', 'in_review', 'scheduled')
RETURNING *;

-- name: ArchiveRevision :one
-- Archives the published revision of an item in a language. The item is locked.
UPDATE content.revisions SET state = 'archived', updated_at = sqlc.arg(now), version = version + 1
WHERE kind = sqlc.arg(kind) AND item_id = sqlc.arg(item_id) AND locale = sqlc.arg(locale) AND state = 'published'
RETURNING *;
