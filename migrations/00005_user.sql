-- +goose Up
CREATE SCHEMA users;

-- What a person has set beside their account. A person without a row has the defaults.
CREATE TABLE users.profiles (
    user_id        uuid        NOT NULL PRIMARY KEY,
    -- The hour at which a new day of practice begins, in the person's zone.
    day_start_hour smallint    NOT NULL DEFAULT 0,
    units          text        NOT NULL DEFAULT 'metric',
    -- ISO 3166-1 alpha-2; null when not told.
    country_code   text,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT profiles_day_start_hour CHECK (day_start_hour BETWEEN 0 AND 23),
    CONSTRAINT profiles_units CHECK (units IN ('metric', 'imperial')),
    CONSTRAINT profiles_country_code CHECK (country_code ~ '^[A-Z]{2}$')
);
COMMENT ON COLUMN users.profiles.user_id IS 'person';

-- What a person has agreed to and withdrawn. Entries are added, never changed: the newest of a purpose holds.
CREATE TABLE users.consents (
    user_id        uuid        NOT NULL,
    id             uuid        NOT NULL,
    purpose        text        NOT NULL,
    granted        boolean     NOT NULL,
    -- Version of the text that was shown.
    policy_version text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT consents_purpose CHECK (purpose IN ('health_data', 'analytics', 'marketing'))
);
COMMENT ON COLUMN users.consents.user_id IS 'person';
CREATE INDEX consents_purpose_index ON users.consents (user_id, purpose, id);

-- What a person has told of their health, and their goals: encrypted as one message, bound to the person.
CREATE TABLE users.health_profiles (
    user_id    uuid        NOT NULL PRIMARY KEY,
    sealed     bytea       NOT NULL,
    -- Counts the changes.
    revision   bigint      NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT health_profiles_revision CHECK (revision > 0)
);
COMMENT ON COLUMN users.health_profiles.user_id IS 'person';
COMMENT ON COLUMN users.health_profiles.sealed IS 'health';

-- Copies of what is held about a person. The file in the blob store is encrypted under a key of its own, which is kept here, encrypted.
CREATE TABLE users.exports (
    user_id      uuid        NOT NULL,
    id           uuid        NOT NULL,
    state        text        NOT NULL DEFAULT 'pending',
    -- Who of support has started it; null when the person has, or when they are gone.
    requested_by uuid,
    by_support   boolean     NOT NULL DEFAULT false,
    requested_at timestamptz NOT NULL,
    ready_at     timestamptz,
    expires_at   timestamptz,
    blob_key     text,
    sealed_key   bytea,
    size_bytes   bigint,
    PRIMARY KEY (user_id, id),
    CONSTRAINT exports_id_key UNIQUE (id),
    CONSTRAINT exports_state CHECK (state IN ('pending', 'ready', 'failed', 'expired')),
    CONSTRAINT exports_file CHECK ((state = 'ready') = (blob_key IS NOT NULL) AND (state = 'ready') = (sealed_key IS NOT NULL) AND (state <> 'ready' OR expires_at IS NOT NULL AND size_bytes IS NOT NULL))
);
COMMENT ON COLUMN users.exports.user_id IS 'person';
COMMENT ON COLUMN users.exports.requested_by IS 'person';
CREATE INDEX exports_expires_at ON users.exports (expires_at) WHERE state = 'ready';
CREATE INDEX exports_requested_at ON users.exports (requested_at);
-- One is made at a time.
CREATE UNIQUE INDEX exports_pending_key ON users.exports (user_id) WHERE state = 'pending';
CREATE INDEX exports_requested_by ON users.exports (requested_by) WHERE requested_by IS NOT NULL;

-- What staff wrote about a person.
CREATE TABLE users.notes (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    author_id  uuid,
    text       text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT notes_text_length CHECK (length(text) BETWEEN 1 AND 4000)
);
COMMENT ON COLUMN users.notes.user_id IS 'person';
COMMENT ON COLUMN users.notes.author_id IS 'person';
CREATE INDEX notes_author_id ON users.notes (author_id) WHERE author_id IS NOT NULL;

-- +goose Down
DROP SCHEMA users CASCADE;
