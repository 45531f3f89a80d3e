-- +goose Up
CREATE SCHEMA audit;

-- What was done, by whom, to what. Rows are written in the transaction that does it, and never changed or removed:
-- erasing a person destroys the key of person_keys, which makes before and after unreadable and keeps the chain whole.
CREATE TABLE audit.records (
    id             uuid        NOT NULL PRIMARY KEY,
    -- The database's clock: one clock for all processes.
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind     text        NOT NULL,
    -- The id of the user, member of staff, partner or service; empty for system and anonymous.
    actor_id       text        NOT NULL,
    actor_roles    text[]      NOT NULL,
    -- For example content.meditation.publish.
    action         text        NOT NULL,
    subject_type   text        NOT NULL,
    -- The id of what the action was done to, a person's when the subject is one.
    subject_id     text        NOT NULL,
    -- Whose personal values before and after hold; null when they hold none.
    person_id      uuid,
    -- The key of person_keys under which before and after are encrypted; null when they are plain JSON.
    key_id         uuid,
    -- JSON, or with key_id: nonce and AES-256-GCM ciphertext of JSON.
    before         bytea,
    after          bytea,
    request_id     text        NOT NULL,
    -- The caller's network, not the address: /24 of IPv4, /48 of IPv6.
    address_prefix cidr,
    CONSTRAINT records_actor_kind CHECK (actor_kind IN ('user', 'staff', 'partner', 'service', 'system', 'anonymous')),
    CONSTRAINT records_actor_id CHECK ((actor_id = '') = (actor_kind IN ('system', 'anonymous'))),
    CONSTRAINT records_action CHECK (action ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$'),
    CONSTRAINT records_subject_type CHECK (subject_type ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT records_subject_id CHECK (subject_id <> ''),
    -- Personal values are never stored in clear.
    CONSTRAINT records_person_values CHECK (
        CASE WHEN person_id IS NULL THEN key_id IS NULL
             ELSE (key_id IS NULL) = (before IS NULL AND after IS NULL) END
    ),
    CONSTRAINT records_address_prefix CHECK (
        masklen(address_prefix) = CASE family(address_prefix) WHEN 4 THEN 24 ELSE 48 END
    )
);
COMMENT ON COLUMN audit.records.actor_id IS 'person';
COMMENT ON COLUMN audit.records.subject_id IS 'person';
COMMENT ON COLUMN audit.records.person_id IS 'person';

-- The records that are not in the chain yet. Each record is put here by the statement that inserts it, and taken out when it is sealed,
-- so that finding them costs nothing however long the history is, and a record that is committed late is not passed over.
CREATE TABLE audit.unsealed (
    record_id uuid NOT NULL PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- a queue: its dead rows lie where the next search begins

-- The chain: the seal of each record, in the order of sealing. hash is SHA-256 of the hash before it and the record's canonical bytes
-- (platform/audit/canonical.go); before the first one come 32 zero bytes. No foreign key: it would write to each record that is sealed.
CREATE TABLE audit.links (
    seq       bigint      NOT NULL PRIMARY KEY,
    record_id uuid        NOT NULL,
    hash      bytea       NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT links_record_id_key UNIQUE (record_id),
    CONSTRAINT links_seq CHECK (seq > 0),
    CONSTRAINT links_hash CHECK (octet_length(hash) = 32)
);

-- One key a person, wrapped by the keyring. Deleting the row erases what the person's records say; it is the only erasure there is.
-- A person who acts again afterwards gets another key, under another id.
CREATE TABLE audit.person_keys (
    person_id   uuid        NOT NULL PRIMARY KEY,
    id          uuid        NOT NULL,
    wrapped_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT person_keys_id_key UNIQUE (id)
);
COMMENT ON COLUMN audit.person_keys.person_id IS 'person';

-- +goose StatementBegin
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;
-- +goose StatementEnd

-- No function or role goes around these: nothing needs to. ALWAYS also covers sessions that replay as a replica.
CREATE TRIGGER records_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.records
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.records ENABLE ALWAYS TRIGGER records_append_only;
CREATE TRIGGER links_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.links
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.links ENABLE ALWAYS TRIGGER links_append_only;

-- +goose Down
DROP SCHEMA audit CASCADE;
