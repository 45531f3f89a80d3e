-- +goose Up
-- In which order the other languages stand in where a text is missing in the one that was asked for: that one first, then these by rank.
ALTER TABLE content.locales ADD COLUMN fallback_rank smallint;
UPDATE content.locales SET fallback_rank = CASE code WHEN 'en' THEN 1 WHEN 'ru' THEN 2 ELSE 3 END;
ALTER TABLE content.locales ALTER COLUMN fallback_rank SET NOT NULL, ADD CONSTRAINT locales_fallback_rank_key UNIQUE (fallback_rank);

-- Vocabulary: the one shelf that a meditation or course stands on.
CREATE TABLE content.categories (
    code     text    NOT NULL PRIMARY KEY CHECK (code ~ '^[a-z0-9_]{1,64}$'),
    position integer NOT NULL,
    title_en text    NOT NULL,
    title_ru text    NOT NULL,
    title_sr text    NOT NULL
);

ALTER TABLE content.courses
    ADD COLUMN category     text REFERENCES content.categories (code),
    ADD COLUMN published_at timestamptz;
UPDATE content.courses c SET published_at = created_at WHERE EXISTS (SELECT FROM content.course_texts t WHERE t.course_id = c.id);
ALTER TABLE content.meditations ADD COLUMN category text REFERENCES content.categories (code);
CREATE INDEX meditations_category ON content.meditations (category, position, id) WHERE published_at IS NOT NULL;

-- The sound in this language; null where the meditation's own is for all of them.
ALTER TABLE content.meditation_texts ADD COLUMN media_id uuid REFERENCES content.media (id);

CREATE TABLE content.favourites (
    user_id       uuid        NOT NULL,
    meditation_id uuid        NOT NULL REFERENCES content.meditations (id) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, meditation_id)
);
COMMENT ON COLUMN content.favourites.user_id IS 'person';
CREATE INDEX favourites_newest ON content.favourites (user_id, created_at DESC, meditation_id);

-- Each published meditation that has a text, once per locale that can be asked for, with its text in it or in the first language that has one.
-- Its course is there when readers see that one. The column does not lead to an index: look for the meditations of a course in the table.
DROP VIEW content.localised_meditations;
CREATE VIEW content.localised_meditations AS
SELECT asked.code AS asked_locale, m.id, m.position, (CASE WHEN c.id IS NULL THEN 0 ELSE m.course_position END)::integer AS course_position, c.id AS course_id,
       m.level, m.duration_seconds, m.voice, m.category, m.tags,
       t.locale, t.title, t.description, coalesce(ct.title, '')::text AS course_title, coalesce(t.media_id, m.media_id) AS media_id
FROM content.meditations m
CROSS JOIN content.locales asked
CROSS JOIN LATERAL (
    SELECT x.locale, x.title, x.description, x.media_id
    FROM content.meditation_texts x JOIN content.locales l ON l.code = x.locale
    WHERE x.meditation_id = m.id
    ORDER BY (x.locale = asked.code) DESC, l.fallback_rank LIMIT 1
) t
LEFT JOIN content.courses c ON c.id = m.course_id AND c.published_at IS NOT NULL
LEFT JOIN LATERAL (
    SELECT y.title FROM content.course_texts y JOIN content.locales l ON l.code = y.locale
    WHERE y.course_id = c.id
    ORDER BY (y.locale = asked.code) DESC, l.fallback_rank LIMIT 1
) ct ON true
WHERE m.published_at IS NOT NULL;

-- The same of courses.
CREATE VIEW content.localised_courses AS
SELECT asked.code AS asked_locale, c.id, c.position, c.category, t.locale, t.title, t.description
FROM content.courses c
CROSS JOIN content.locales asked
CROSS JOIN LATERAL (
    SELECT y.locale, y.title, y.description FROM content.course_texts y JOIN content.locales l ON l.code = y.locale
    WHERE y.course_id = c.id
    ORDER BY (y.locale = asked.code) DESC, l.fallback_rank LIMIT 1
) t
WHERE c.published_at IS NOT NULL;

-- +goose Down
DROP VIEW content.localised_courses;
DROP VIEW content.localised_meditations;
CREATE VIEW content.localised_meditations AS
SELECT asked.code AS asked_locale, m.id, m.position, m.course_position, m.course_id, m.level, m.duration_seconds, m.voice, m.tags,
       t.locale, t.title, t.description, coalesce(ct.title, '')::text AS course_title
FROM content.meditations m
CROSS JOIN content.locales asked
CROSS JOIN LATERAL (
    SELECT x.locale, x.title, x.description FROM content.meditation_texts x
    WHERE x.meditation_id = m.id AND x.locale IN (asked.code, 'en')
    ORDER BY (x.locale = asked.code) DESC LIMIT 1
) t
LEFT JOIN LATERAL (
    SELECT y.title FROM content.course_texts y
    WHERE y.course_id = m.course_id AND y.locale IN (asked.code, 'en')
    ORDER BY (y.locale = asked.code) DESC LIMIT 1
) ct ON true
WHERE m.published_at IS NOT NULL;
DROP TABLE content.favourites;
ALTER TABLE content.meditation_texts DROP COLUMN media_id;
ALTER TABLE content.meditations DROP COLUMN category;
ALTER TABLE content.courses DROP COLUMN published_at, DROP COLUMN category;
DROP TABLE content.categories;
ALTER TABLE content.locales DROP COLUMN fallback_rank;
