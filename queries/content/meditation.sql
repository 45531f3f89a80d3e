-- name: ListMeditations :many
-- One page of the published catalogue in the order of (position, id).
SELECT sqlc.embed(m) FROM content.localised_meditations m
WHERE m.asked_locale = sqlc.arg(locale)::text
  AND (m.position, m.id) > (sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
  AND (sqlc.narg(course_id)::uuid IS NULL OR m.course_id = sqlc.narg(course_id)::uuid)
  AND (sqlc.arg(tag)::text = '' OR m.tags @> ARRAY[sqlc.arg(tag)::text])
ORDER BY m.position, m.id
LIMIT sqlc.arg(page_size);

-- name: GetMeditation :one
SELECT sqlc.embed(m) FROM content.localised_meditations m
WHERE m.id = sqlc.arg(id) AND m.asked_locale = sqlc.arg(locale)::text;

-- name: SearchMeditations :many
-- Published meditations whose words match, best first. phrase is every word of the query; head the words before the last one,
-- and prefix the last one, which may be unfinished (a raw word, letters and digits only).
-- A meditation without a text in the locale is found by its English one, as it is shown.
WITH search AS (
    SELECT l.code, websearch_to_tsquery(l.config::regconfig, sqlc.arg(phrase)::text)
        || (websearch_to_tsquery(l.config::regconfig, sqlc.arg(head)::text) && to_tsquery('simple', sqlc.arg(prefix)::text || ':*')) AS query
    FROM content.locales l WHERE l.code IN (sqlc.arg(locale)::text, 'en')
), hit AS (
    SELECT t.meditation_id, ts_rank_cd(t.words, s.query)::float8 AS rank
    FROM search s
    JOIN content.meditation_texts t ON t.words @@ s.query AND t.locale = s.code
    WHERE s.code = sqlc.arg(locale)::text
       OR NOT EXISTS (SELECT FROM content.meditation_texts x WHERE x.meditation_id = t.meditation_id AND x.locale = sqlc.arg(locale)::text)
)
SELECT sqlc.embed(m), h.rank
FROM hit h
JOIN content.localised_meditations m ON m.id = h.meditation_id AND m.asked_locale = sqlc.arg(locale)::text
WHERE (-h.rank, m.position, m.id) > (-sqlc.arg(after_rank)::float8, sqlc.arg(after_position)::integer, sqlc.arg(after_id)::uuid)
ORDER BY -h.rank, m.position, m.id
LIMIT sqlc.arg(page_size);

-- name: UpsertMeditation :exec
INSERT INTO content.meditations (id, slug, position, course_id, course_position, level, duration_seconds, voice, tags, media_id, published_at, created_at)
VALUES (sqlc.arg(id), sqlc.arg(slug), sqlc.arg(position), sqlc.arg(course_id), sqlc.arg(course_position), sqlc.arg(level), sqlc.arg(duration_seconds), sqlc.arg(voice), sqlc.arg(tags), sqlc.arg(media_id), sqlc.arg(published_at), sqlc.arg(created_at))
ON CONFLICT (id) DO UPDATE SET
    slug = excluded.slug, position = excluded.position, course_id = excluded.course_id, course_position = excluded.course_position,
    level = excluded.level, duration_seconds = excluded.duration_seconds, voice = excluded.voice, tags = excluded.tags, media_id = excluded.media_id;

-- name: UpsertMeditationText :exec
-- The folded texts are what the words are made of.
INSERT INTO content.meditation_texts (meditation_id, locale, title, description, keywords, words)
SELECT sqlc.arg(meditation_id), l.code, sqlc.arg(title), sqlc.arg(description), sqlc.arg(keywords),
       setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_title)::text), 'A')
    || setweight(to_tsvector('simple', sqlc.arg(folded_title)::text), 'A')
    || setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_keywords)::text), 'B')
    || setweight(to_tsvector('simple', sqlc.arg(folded_keywords)::text), 'B')
    || setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_description)::text), 'C')
    || setweight(to_tsvector('simple', sqlc.arg(folded_description)::text), 'D')
FROM content.locales l WHERE l.code = sqlc.arg(locale)
ON CONFLICT (meditation_id, locale) DO UPDATE SET
    title = excluded.title, description = excluded.description, keywords = excluded.keywords, words = excluded.words;
