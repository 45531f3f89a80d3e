-- +goose Up
CREATE SCHEMA meditation;

-- Each person whose practice is known. Whoever changes a person's practice locks this row first, so changes of one person are in a row.
CREATE TABLE meditation.people (
    user_id uuid   NOT NULL PRIMARY KEY,
    -- Counts the changes of this person's sessions; a change carries its number, and phones ask for what came after one.
    change  bigint NOT NULL
);
COMMENT ON COLUMN meditation.people.user_id IS 'person';

-- Practice, one row a session: under way, ended, or deleted (then a tombstone, so that phones learn of it). Never dropped.
CREATE TABLE meditation.sessions (
    user_id           uuid        NOT NULL,
    id                uuid        NOT NULL,
    -- Made by the phone; the same session sent again has the same one.
    client_id         uuid        NOT NULL,
    -- Null for the open-ended timer.
    meditation_id     uuid,
    -- The course that the meditation belonged to when it was practised.
    course_id         uuid,
    state             text        NOT NULL,
    started_at        timestamptz NOT NULL,
    -- Null while it is under way.
    ended_at          timestamptz,
    -- Practice without pauses, in seconds; as last heard while it is under way.
    practiced_seconds integer     NOT NULL,
    -- How long the meditation takes, in seconds, when it was practised; 0 for the timer.
    planned_seconds   integer     NOT NULL,
    -- Where it started, and the hour at which the person's day began then: what the local date comes from.
    time_zone         text        NOT NULL,
    day_start_hour    smallint    NOT NULL,
    local_date        date        NOT NULL,
    -- How far the phone's clock was behind ours, in seconds, as its times were told; added to them already.
    clock_skew_seconds integer    NOT NULL DEFAULT 0,
    -- Practised to its end, or nearly.
    finished          boolean     NOT NULL,
    -- 1 to 5; null when not told.
    mood_before       smallint,
    mood_after        smallint,
    -- There is a note in meditation.notes.
    has_note          boolean     NOT NULL DEFAULT false,
    -- When the phone was last heard of, while it is under way.
    seen_at           timestamptz NOT NULL,
    -- The number of the change that wrote the row.
    change            bigint      NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT sessions_client_id_key UNIQUE (user_id, client_id),
    -- running: under way; completed: ended by the person; abandoned: ended by us, as nothing was heard any more; deleted: a tombstone.
    CONSTRAINT sessions_state CHECK (state IN ('running', 'completed', 'abandoned', 'deleted')),
    CONSTRAINT sessions_ended CHECK (state = 'running' OR ended_at IS NOT NULL),
    CONSTRAINT sessions_length CHECK (ended_at >= started_at AND ended_at - started_at <= interval '24 hours'),
    CONSTRAINT sessions_practiced CHECK (practiced_seconds BETWEEN 0 AND 86400),
    CONSTRAINT sessions_day_start_hour CHECK (day_start_hour BETWEEN 0 AND 23),
    CONSTRAINT sessions_mood CHECK (mood_before BETWEEN 1 AND 5 AND mood_after BETWEEN 1 AND 5)
) PARTITION BY HASH (user_id);
COMMENT ON COLUMN meditation.sessions.user_id IS 'person';
-- History, and the sessions of a local date: its instants lie within a day before and three days after.
CREATE INDEX sessions_history ON meditation.sessions (user_id, started_at DESC, id DESC) WHERE state <> 'deleted';
-- What phones ask for.
CREATE INDEX sessions_change ON meditation.sessions (user_id, change, id);
-- History and progress of a course.
CREATE INDEX sessions_course ON meditation.sessions (user_id, course_id, started_at DESC, id DESC) WHERE course_id IS NOT NULL AND state <> 'deleted';

-- A local day of a person: what was practised on it. Recording adds to it what was stored; whenever a session changes, it is counted anew. A day whose practice was
-- deleted stays, with nothing in it: it counts as none.
CREATE TABLE meditation.days (
    user_id    uuid    NOT NULL,
    local_date date    NOT NULL,
    sessions   integer NOT NULL CHECK (sessions >= 0),
    seconds    integer NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (user_id, local_date)
) PARTITION BY HASH (user_id);
COMMENT ON COLUMN meditation.days.user_id IS 'person';

-- Partitions.
CREATE TABLE meditation.sessions_p00 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 0);
CREATE TABLE meditation.sessions_p01 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 1);
CREATE TABLE meditation.sessions_p02 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 2);
CREATE TABLE meditation.sessions_p03 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 3);
CREATE TABLE meditation.sessions_p04 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 4);
CREATE TABLE meditation.sessions_p05 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 5);
CREATE TABLE meditation.sessions_p06 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 6);
CREATE TABLE meditation.sessions_p07 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 7);
CREATE TABLE meditation.sessions_p08 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 8);
CREATE TABLE meditation.sessions_p09 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 9);
CREATE TABLE meditation.sessions_p10 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 10);
CREATE TABLE meditation.sessions_p11 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 11);
CREATE TABLE meditation.sessions_p12 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 12);
CREATE TABLE meditation.sessions_p13 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 13);
CREATE TABLE meditation.sessions_p14 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 14);
CREATE TABLE meditation.sessions_p15 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 15);
CREATE TABLE meditation.sessions_p16 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 16);
CREATE TABLE meditation.sessions_p17 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 17);
CREATE TABLE meditation.sessions_p18 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 18);
CREATE TABLE meditation.sessions_p19 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 19);
CREATE TABLE meditation.sessions_p20 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 20);
CREATE TABLE meditation.sessions_p21 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 21);
CREATE TABLE meditation.sessions_p22 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 22);
CREATE TABLE meditation.sessions_p23 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 23);
CREATE TABLE meditation.sessions_p24 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 24);
CREATE TABLE meditation.sessions_p25 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 25);
CREATE TABLE meditation.sessions_p26 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 26);
CREATE TABLE meditation.sessions_p27 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 27);
CREATE TABLE meditation.sessions_p28 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 28);
CREATE TABLE meditation.sessions_p29 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 29);
CREATE TABLE meditation.sessions_p30 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 30);
CREATE TABLE meditation.sessions_p31 PARTITION OF meditation.sessions FOR VALUES WITH (MODULUS 32, REMAINDER 31);
CREATE TABLE meditation.days_p00 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 0);
CREATE TABLE meditation.days_p01 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 1);
CREATE TABLE meditation.days_p02 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 2);
CREATE TABLE meditation.days_p03 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 3);
CREATE TABLE meditation.days_p04 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 4);
CREATE TABLE meditation.days_p05 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 5);
CREATE TABLE meditation.days_p06 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 6);
CREATE TABLE meditation.days_p07 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 7);
CREATE TABLE meditation.days_p08 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 8);
CREATE TABLE meditation.days_p09 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 9);
CREATE TABLE meditation.days_p10 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 10);
CREATE TABLE meditation.days_p11 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 11);
CREATE TABLE meditation.days_p12 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 12);
CREATE TABLE meditation.days_p13 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 13);
CREATE TABLE meditation.days_p14 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 14);
CREATE TABLE meditation.days_p15 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 15);
CREATE TABLE meditation.days_p16 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 16);
CREATE TABLE meditation.days_p17 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 17);
CREATE TABLE meditation.days_p18 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 18);
CREATE TABLE meditation.days_p19 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 19);
CREATE TABLE meditation.days_p20 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 20);
CREATE TABLE meditation.days_p21 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 21);
CREATE TABLE meditation.days_p22 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 22);
CREATE TABLE meditation.days_p23 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 23);
CREATE TABLE meditation.days_p24 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 24);
CREATE TABLE meditation.days_p25 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 25);
CREATE TABLE meditation.days_p26 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 26);
CREATE TABLE meditation.days_p27 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 27);
CREATE TABLE meditation.days_p28 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 28);
CREATE TABLE meditation.days_p29 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 29);
CREATE TABLE meditation.days_p30 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 30);
CREATE TABLE meditation.days_p31 PARTITION OF meditation.days FOR VALUES WITH (MODULUS 32, REMAINDER 31);

-- What a person has written about a session, encrypted, bound to its row.
CREATE TABLE meditation.notes (
    user_id   uuid  NOT NULL,
    client_id uuid  NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
COMMENT ON COLUMN meditation.notes.user_id IS 'person';
COMMENT ON COLUMN meditation.notes.sealed IS 'health';

-- How far into a meditation a person was last. The latest moment of listening wins, whichever device tells it, and whenever.
CREATE TABLE meditation.positions (
    user_id          uuid        NOT NULL,
    meditation_id    uuid        NOT NULL,
    position_seconds integer     NOT NULL CHECK (position_seconds BETWEEN 0 AND 86400),
    -- When the person was there.
    at               timestamptz NOT NULL,
    PRIMARY KEY (user_id, meditation_id)
);
COMMENT ON COLUMN meditation.positions.user_id IS 'person';
CREATE INDEX positions_newest ON meditation.positions (user_id, at DESC, meditation_id);

-- What a person has reached; once reached, it stays.
CREATE TABLE meditation.milestones (
    user_id    uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('streak_days', 'sessions', 'minutes')),
    threshold  integer     NOT NULL CHECK (threshold > 0),
    reached_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, kind, threshold)
);
COMMENT ON COLUMN meditation.milestones.user_id IS 'person';

-- Courses of which a person has finished every meditation; once completed, it stays.
CREATE TABLE meditation.course_completions (
    user_id      uuid        NOT NULL,
    course_id    uuid        NOT NULL,
    completed_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_id)
);
COMMENT ON COLUMN meditation.course_completions.user_id IS 'person';

-- The longest streak of a person by each version of the rule: a new version never makes it shorter.
CREATE TABLE meditation.streak_records (
    user_id      uuid     NOT NULL,
    rule_version smallint NOT NULL,
    longest_days integer  NOT NULL CHECK (longest_days >= 0),
    PRIMARY KEY (user_id, rule_version)
);
COMMENT ON COLUMN meditation.streak_records.user_id IS 'person';

-- +goose Down
DROP SCHEMA meditation CASCADE;
