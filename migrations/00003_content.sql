-- +goose Up
CREATE SCHEMA content;

-- The languages of the catalogue, and how Postgres stems each of them.
CREATE TABLE content.locales (
    code   text NOT NULL PRIMARY KEY,
    config text NOT NULL
);
INSERT INTO content.locales (code, config) VALUES ('en', 'english'), ('ru', 'russian'), ('sr', 'serbian');

-- Vocabulary: what a meditation is good for or is about.
CREATE TABLE content.tags (
    code     text NOT NULL PRIMARY KEY CHECK (code ~ '^[a-z0-9_]{1,64}$'),
    title_en text NOT NULL,
    title_ru text NOT NULL,
    title_sr text NOT NULL
);

-- Vocabulary: who or what leads a meditation.
CREATE TABLE content.voices (
    code     text NOT NULL PRIMARY KEY CHECK (code ~ '^[a-z0-9_]{1,64}$'),
    title_en text NOT NULL,
    title_ru text NOT NULL,
    title_sr text NOT NULL
);

CREATE TABLE content.courses (
    id         uuid        NOT NULL PRIMARY KEY,
    slug       text        NOT NULL,
    position   integer     NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT courses_slug_key UNIQUE (slug)
);

CREATE TABLE content.course_texts (
    course_id   uuid NOT NULL REFERENCES content.courses (id) ON DELETE CASCADE,
    locale      text NOT NULL REFERENCES content.locales (code),
    title       text NOT NULL,
    description text NOT NULL,
    PRIMARY KEY (course_id, locale)
);

CREATE TABLE content.meditations (
    id               uuid        NOT NULL PRIMARY KEY,
    slug             text        NOT NULL,
    -- Place in the catalogue; pages are ordered by (position, id).
    position         integer     NOT NULL,
    course_id        uuid        REFERENCES content.courses (id),
    course_position  integer     NOT NULL DEFAULT 0,
    level            text        NOT NULL CHECK (level IN ('beginner', 'intermediate', 'advanced')),
    duration_seconds integer     NOT NULL CHECK (duration_seconds BETWEEN 1 AND 86400),
    voice            text        NOT NULL REFERENCES content.voices (code),
    tags             text[]      NOT NULL,
    media_id         uuid,
    published_at     timestamptz,
    created_at       timestamptz NOT NULL,
    CONSTRAINT meditations_slug_key UNIQUE (slug),
    CONSTRAINT meditations_course_place CHECK ((course_id IS NULL) = (course_position = 0))
);
CREATE INDEX meditations_catalogue ON content.meditations (position, id) WHERE published_at IS NOT NULL;
CREATE INDEX meditations_course ON content.meditations (course_id, position, id) WHERE published_at IS NOT NULL;
CREATE INDEX meditations_tags ON content.meditations USING gin (tags) WHERE published_at IS NOT NULL;

-- An audio file in the blob store.
CREATE TABLE content.media (
    id               uuid             NOT NULL PRIMARY KEY,
    blob_key         text             NOT NULL,
    content_type     text             NOT NULL,
    size_bytes       bigint           NOT NULL CHECK (size_bytes > 0),
    sha256           bytea            NOT NULL CHECK (length(sha256) = 32),
    duration_seconds double precision NOT NULL CHECK (duration_seconds > 0),
    -- The sound is made to be repeated without a seam for as long as the practice takes.
    loops            boolean          NOT NULL,
    created_at       timestamptz      NOT NULL,
    CONSTRAINT media_blob_key_key UNIQUE (blob_key)
);
ALTER TABLE content.meditations ADD CONSTRAINT meditations_media_id_fkey FOREIGN KEY (media_id) REFERENCES content.media (id);

CREATE TABLE content.meditation_texts (
    meditation_id uuid     NOT NULL REFERENCES content.meditations (id) ON DELETE CASCADE,
    locale        text     NOT NULL REFERENCES content.locales (code),
    title         text     NOT NULL,
    description   text     NOT NULL,
    -- Titles of course and tags in this locale, for search; kept by the writer of the text.
    keywords      text     NOT NULL DEFAULT '',
    -- Weighted words, stemmed in the text's language; the writer folds Serbian to Latin without diacritics first.
    words         tsvector NOT NULL,
    PRIMARY KEY (meditation_id, locale)
);
CREATE INDEX meditation_texts_words ON content.meditation_texts USING gin (words);

-- Which seed data has been loaded, by digest, so that a start with nothing new loads nothing and overwrites nobody's edits.
CREATE TABLE content.seeds (
    name      text        NOT NULL PRIMARY KEY,
    digest    bytea       NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- Each published meditation once per locale that can be asked for: its own text in it, or the English one.
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

-- +goose Down
DROP SCHEMA content CASCADE;
