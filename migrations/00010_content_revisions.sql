-- +goose Up
-- Counts the changes of what is not localised, so that two editors do not overwrite each other.
ALTER TABLE content.meditations ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE content.courses ADD COLUMN version integer NOT NULL DEFAULT 1;

-- What editors write: the text of a meditation or course in one language, in numbered revisions. The published one is also in meditation_texts or
-- course_texts, which is what readers get. A revision that was published or archived is never changed again, but for who it was by.
CREATE TABLE content.revisions (
    id            uuid        NOT NULL PRIMARY KEY,
    kind          text        NOT NULL,
    item_id       uuid        NOT NULL,
    -- The same id, for the foreign keys.
    meditation_id uuid        GENERATED ALWAYS AS (CASE WHEN kind = 'meditation' THEN item_id END) STORED REFERENCES content.meditations (id) ON DELETE CASCADE,
    course_id     uuid        GENERATED ALWAYS AS (CASE WHEN kind = 'course' THEN item_id END) STORED REFERENCES content.courses (id) ON DELETE CASCADE,
    locale        text        NOT NULL REFERENCES content.locales (code),
    -- From 1, by item and language.
    number        integer     NOT NULL,
    state         text        NOT NULL,
    title         text        NOT NULL,
    description   text        NOT NULL,
    -- The sound in this language; null where the meditation's own is for all of them.
    media_id      uuid        REFERENCES content.media (id),
    -- When it is to be published; null unless it is scheduled.
    publish_at    timestamptz,
    -- How often it was scheduled: a job publishes only what is still scheduled by the number that it knows.
    schedule      integer     NOT NULL DEFAULT 0,
    -- The job that will publish it; null unless it is scheduled.
    job_id        bigint,
    -- Counts the changes.
    version       integer     NOT NULL DEFAULT 1,
    -- Who wrote it last, who decided on it in review last, and who had it published, at once or by schedule; null when nobody has yet, or they are gone.
    author_id     uuid,
    reviewer_id   uuid,
    publisher_id  uuid,
    -- The seed wrote it, and no editor: another seed may replace it.
    seeded        boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    published_at  timestamptz,
    CONSTRAINT revisions_number_key UNIQUE (kind, item_id, locale, number),
    CONSTRAINT revisions_kind CHECK (kind IN ('meditation', 'course')),
    CONSTRAINT revisions_number CHECK (number > 0),
    CONSTRAINT revisions_state CHECK (state IN ('draft', 'in_review', 'scheduled', 'published', 'archived')),
    CONSTRAINT revisions_media CHECK (kind = 'meditation' OR media_id IS NULL),
    CONSTRAINT revisions_scheduled CHECK ((state = 'scheduled') = (publish_at IS NOT NULL) AND (state = 'scheduled') = (job_id IS NOT NULL)),
    CONSTRAINT revisions_published_at CHECK (CASE state WHEN 'published' THEN published_at IS NOT NULL WHEN 'archived' THEN true ELSE published_at IS NULL END)
);
COMMENT ON COLUMN content.revisions.author_id IS 'person';
COMMENT ON COLUMN content.revisions.reviewer_id IS 'person';
COMMENT ON COLUMN content.revisions.publisher_id IS 'person';
-- Of an item in a language at most one is published, and at most one is being worked on.
CREATE UNIQUE INDEX revisions_published ON content.revisions (kind, item_id, locale) WHERE state = 'published';
CREATE UNIQUE INDEX revisions_open ON content.revisions (kind, item_id, locale) WHERE state IN ('draft', 'in_review', 'scheduled');
-- History, newest first: ids begin with the time.
CREATE INDEX revisions_newest ON content.revisions (kind, item_id, id DESC);
-- What waits for something, over all items.
CREATE INDEX revisions_waiting ON content.revisions (state, kind, item_id) WHERE state IN ('draft', 'in_review', 'scheduled');
-- Foreign keys and erasure look for these.
CREATE INDEX revisions_meditation ON content.revisions (meditation_id) WHERE meditation_id IS NOT NULL;
CREATE INDEX revisions_course ON content.revisions (course_id) WHERE course_id IS NOT NULL;
CREATE INDEX revisions_author ON content.revisions (author_id) WHERE author_id IS NOT NULL;
CREATE INDEX revisions_reviewer ON content.revisions (reviewer_id) WHERE reviewer_id IS NOT NULL;
CREATE INDEX revisions_publisher ON content.revisions (publisher_id) WHERE publisher_id IS NOT NULL;

-- Each text that there is becomes a published revision of the seed, since nobody else wrote any. Ids are of version 7, as those made in Go: 48 bits of milliseconds, the version, random bits.
INSERT INTO content.revisions (id, kind, item_id, locale, number, state, title, description, media_id, seeded, created_at, updated_at, published_at)
SELECT overlay(overlay(replace(gen_random_uuid()::text, '-', '') PLACING lpad(to_hex((extract(epoch FROM x.at) * 1000)::bigint), 12, '0') FROM 1 FOR 12) PLACING '7' FROM 13 FOR 1)::uuid,
       x.kind, x.item_id, x.locale, 1, 'published', x.title, x.description, x.media_id, true, x.at, x.at, x.at
FROM (
    SELECT 'meditation' AS kind, t.meditation_id AS item_id, t.locale, t.title, t.description, t.media_id, coalesce(m.published_at, m.created_at) AS at
    FROM content.meditation_texts t JOIN content.meditations m ON m.id = t.meditation_id
    UNION ALL
    SELECT 'course', t.course_id, t.locale, t.title, t.description, NULL, coalesce(c.published_at, c.created_at)
    FROM content.course_texts t JOIN content.courses c ON c.id = t.course_id
) x;

-- Everything that has texts, with what is the same in every language.
CREATE VIEW content.items AS
SELECT 'meditation'::text AS kind, m.id, m.slug, m.position, m.category, m.version, m.created_at, m.published_at,
       m.course_id, m.course_position, m.level, m.duration_seconds, m.voice, m.tags, m.media_id
FROM content.meditations m
UNION ALL
SELECT 'course', c.id, c.slug, c.position, c.category, c.version, c.created_at, c.published_at, NULL, 0, '', 0, '', '{}', NULL
FROM content.courses c;

-- +goose Down
DROP VIEW content.items;
DROP TABLE content.revisions;
ALTER TABLE content.courses DROP COLUMN version;
ALTER TABLE content.meditations DROP COLUMN version;
