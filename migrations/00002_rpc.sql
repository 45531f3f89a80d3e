-- +goose Up
CREATE SCHEMA rpc;

-- The first answer to each call that came with an Idempotency-Key, so that a retry gets the same one.
CREATE TABLE rpc.idempotency_keys (
    person_id    uuid        NOT NULL,
    procedure    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    -- The encoded answer, encrypted; null while the first call is still running.
    response     bytea,
    claimed_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (person_id, procedure, key),
    CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 128)
);
COMMENT ON COLUMN rpc.idempotency_keys.person_id IS 'person';
CREATE INDEX idempotency_keys_expires_at ON rpc.idempotency_keys (expires_at);

-- +goose Down
DROP SCHEMA rpc CASCADE;
