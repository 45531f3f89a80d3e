-- name: UpsertMeditationText :exec
-- Makes a text of a meditation what readers get. The folded texts are what the words are made of: words, with a space between them.
INSERT INTO content.meditation_texts (meditation_id, locale, title, description, media_id, keywords, words)
SELECT sqlc.arg(meditation_id), l.code, sqlc.arg(title), sqlc.arg(description), sqlc.narg(media_id)::uuid, sqlc.arg(keywords),
       setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_title)::text), 'A')
    || setweight(to_tsvector('simple', sqlc.arg(folded_title)::text), 'A')
    || setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_keywords)::text), 'B')
    || setweight(to_tsvector('simple', sqlc.arg(folded_keywords)::text), 'B')
    || setweight(to_tsvector(l.config::regconfig, sqlc.arg(folded_description)::text), 'C')
    || setweight(to_tsvector('simple', sqlc.arg(folded_description)::text), 'D')
FROM content.locales l WHERE l.code = sqlc.arg(locale)
ON CONFLICT (meditation_id, locale) DO UPDATE SET
    title = excluded.title, description = excluded.description, media_id = excluded.media_id, keywords = excluded.keywords, words = excluded.words;

-- name: GetMeditationKeywords :one
-- Titles of the category, the tags and the course of a meditation in a language: what it is found by beside its own text.
SELECT concat_ws(', ',
    (SELECT CASE sqlc.arg(locale)::text WHEN 'ru' THEN g.title_ru WHEN 'sr' THEN g.title_sr ELSE g.title_en END FROM content.categories g WHERE g.code = m.category),
    (SELECT string_agg(CASE sqlc.arg(locale)::text WHEN 'ru' THEN t.title_ru WHEN 'sr' THEN t.title_sr ELSE t.title_en END, ', ' ORDER BY array_position(m.tags, t.code))
     FROM content.tags t WHERE t.code = ANY(m.tags)),
    (SELECT c.title FROM content.course_texts c WHERE c.course_id = m.course_id AND c.locale = sqlc.arg(locale)::text)
)::text AS keywords
FROM content.meditations m WHERE m.id = sqlc.arg(meditation_id);

-- name: ListMeditationTexts :many
-- What readers get of a meditation, in each language.
SELECT meditation_id, locale, title, description, media_id FROM content.meditation_texts
WHERE meditation_id = ANY(sqlc.arg(meditation_ids)::uuid[]) ORDER BY meditation_id, locale;

-- name: ListMeditationIDs :many
SELECT id FROM content.meditations WHERE id > sqlc.arg(after_id) ORDER BY id LIMIT sqlc.arg(at_most);

-- name: ListTextsOfCourse :many
-- What readers get of the meditations of a course, published or not, in one language.
SELECT t.meditation_id, t.locale, t.title, t.description, t.media_id
FROM content.meditation_texts t JOIN content.meditations m ON m.id = t.meditation_id
WHERE m.course_id = ANY(ARRAY[sqlc.arg(course_id)::uuid]) AND t.locale = sqlc.arg(locale)::text ORDER BY t.meditation_id;

-- name: DeleteMeditationText :exec
DELETE FROM content.meditation_texts WHERE meditation_id = sqlc.arg(meditation_id) AND locale = sqlc.arg(locale);

-- name: UpsertCourseText :exec
-- Makes a text of a course what readers get.
INSERT INTO content.course_texts (course_id, locale, title, description) VALUES (sqlc.arg(course_id), sqlc.arg(locale), sqlc.arg(title), sqlc.arg(description))
ON CONFLICT (course_id, locale) DO UPDATE SET title = excluded.title, description = excluded.description;

-- name: DeleteCourseText :exec
DELETE FROM content.course_texts WHERE course_id = sqlc.arg(course_id) AND locale = sqlc.arg(locale);

-- name: ShowMeditation :exec
-- Readers see a meditation that has a text, since its first one was published.
UPDATE content.meditations SET published_at = CASE WHEN EXISTS (SELECT FROM content.meditation_texts t WHERE t.meditation_id = sqlc.arg(id)) THEN coalesce(published_at, sqlc.arg(now)::timestamptz) END
WHERE id = sqlc.arg(id);

-- name: ShowCourse :exec
-- The same of a course.
UPDATE content.courses SET published_at = CASE WHEN EXISTS (SELECT FROM content.course_texts t WHERE t.course_id = sqlc.arg(id)) THEN coalesce(published_at, sqlc.arg(now)::timestamptz) END
WHERE id = sqlc.arg(id);
