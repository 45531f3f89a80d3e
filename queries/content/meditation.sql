-- name: ListMeditations :many
-- One page of the published catalogue in the order of (position, id). Only what is on the page is localised.
WITH page AS (
    SELECT i.id FROM content.meditations i
    WHERE i.published_at IS NOT NULL AND EXISTS (SELECT FROM content.meditation_texts t WHERE t.meditation_id = i.id)
      AND (i.position, i.id) > (sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
      AND (sqlc.narg(course_id)::uuid IS NULL OR i.course_id = sqlc.narg(course_id)::uuid AND EXISTS (
          SELECT FROM content.localised_courses c WHERE c.id = sqlc.narg(course_id)::uuid AND c.asked_locale = sqlc.arg(locale)::text
      ))
      AND (sqlc.arg(tag)::text = '' OR i.tags @> ARRAY[sqlc.arg(tag)::text])
      AND (sqlc.arg(category)::text = '' OR i.category = sqlc.arg(category)::text)
    ORDER BY i.position, i.id
    LIMIT sqlc.arg(page_size)
)
SELECT sqlc.embed(m) FROM page p
JOIN content.localised_meditations m ON m.id = p.id AND m.asked_locale = sqlc.arg(locale)::text
ORDER BY m.position, m.id;

-- name: GetMeditation :one
SELECT sqlc.embed(m) FROM content.localised_meditations m
WHERE m.id = sqlc.arg(id) AND m.asked_locale = sqlc.arg(locale)::text;

-- name: ListMeditationsByID :many
-- Published meditations in the order of the catalogue.
SELECT sqlc.embed(m) FROM content.localised_meditations m
WHERE m.id = ANY(sqlc.arg(ids)::uuid[]) AND m.asked_locale = sqlc.arg(locale)::text
ORDER BY m.position, m.id;

-- name: SearchMeditations :many
-- Published meditations whose words match, best first, by the text in which they are shown in the locale. The query comes folded for each of the
-- languages: a phrase is every word of it; a head the words before the last one, and a prefix the last one, which may be unfinished (a raw word,
-- letters and digits only). Only what is on the page is localised.
WITH search AS MATERIALIZED (
    SELECT w.code, w.fallback_rank, websearch_to_tsquery(w.config, w.phrase) || (websearch_to_tsquery(w.config, w.head) && to_tsquery('simple', w.prefix || ':*')) AS query
    FROM (
        SELECT l.code, l.fallback_rank, l.config::regconfig AS config,
               (sqlc.arg(phrases)::text[])[o.n] AS phrase, (sqlc.arg(heads)::text[])[o.n] AS head, (sqlc.arg(prefixes)::text[])[o.n] AS prefix
        FROM content.locales l CROSS JOIN LATERAL (SELECT array_position(sqlc.arg(languages)::text[], l.code) AS n) o
        WHERE o.n IS NOT NULL
    ) w
), hit AS MATERIALIZED (
    SELECT i.id, i.position, ts_rank_cd(t.words, s.query)::float8 AS rank
    FROM search s
    JOIN content.meditation_texts t ON t.words @@ s.query AND t.locale = s.code
    JOIN content.meditations i ON i.id = t.meditation_id AND i.published_at IS NOT NULL
    WHERE s.code = sqlc.arg(locale)::text OR NOT EXISTS (
        SELECT FROM content.meditation_texts x JOIN content.locales l ON l.code = x.locale
        WHERE x.meditation_id = t.meditation_id AND (x.locale = sqlc.arg(locale)::text OR l.fallback_rank < s.fallback_rank)
    )
), page AS (
    SELECT h.id, h.rank FROM hit h
    WHERE (-h.rank, h.position, h.id) > (-sqlc.arg(after_rank)::float8, sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
    ORDER BY -h.rank, h.position, h.id
    LIMIT sqlc.arg(page_size)
)
SELECT sqlc.embed(m), p.rank
FROM page p
JOIN content.localised_meditations m ON m.id = p.id AND m.asked_locale = sqlc.arg(locale)::text
ORDER BY -p.rank, m.position, m.id;

-- name: UpsertMeditation :exec
-- Publishing a text publishes it. A slug that another one has is followed by eight digits of the id.
INSERT INTO content.meditations (id, slug, position, course_id, course_position, level, duration_seconds, voice, category, tags, media_id, created_at)
SELECT sqlc.arg(id)::uuid, CASE WHEN EXISTS (SELECT FROM content.meditations x WHERE x.slug = sqlc.arg(slug)::text AND x.id <> sqlc.arg(id)::uuid)
           THEN sqlc.arg(slug)::text || '-' || left(sqlc.arg(id)::uuid::text, 8) ELSE sqlc.arg(slug)::text END,
       sqlc.arg(position)::integer, sqlc.narg(course_id)::uuid, sqlc.arg(course_position)::integer, sqlc.arg(level)::text, sqlc.arg(duration_seconds)::integer,
       sqlc.arg(voice)::text, sqlc.narg(category)::text, sqlc.arg(tags)::text[], sqlc.narg(media_id)::uuid, sqlc.arg(created_at)::timestamptz
ON CONFLICT (id) DO UPDATE SET
    slug = excluded.slug, position = excluded.position, course_id = excluded.course_id, course_position = excluded.course_position,
    level = excluded.level, duration_seconds = excluded.duration_seconds, voice = excluded.voice, category = excluded.category, tags = excluded.tags,
    media_id = excluded.media_id, version = meditations.version + 1
WHERE (meditations.slug, meditations.position, meditations.course_id, meditations.course_position, meditations.level, meditations.duration_seconds,
       meditations.voice, meditations.category, meditations.tags, meditations.media_id)
   IS DISTINCT FROM (excluded.slug, excluded.position, excluded.course_id, excluded.course_position, excluded.level, excluded.duration_seconds,
       excluded.voice, excluded.category, excluded.tags, excluded.media_id);
