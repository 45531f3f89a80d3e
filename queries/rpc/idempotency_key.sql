-- name: ClaimIdempotencyKey :execrows
-- Takes the key for a first call. A claim that never got its answer (the process died) may be taken over once it is older than abandoned_before.
INSERT INTO rpc.idempotency_keys AS k (person_id, procedure, key, request_hash, claimed_at, expires_at)
VALUES (@person_id, @procedure, @key, @request_hash, @claimed_at, @expires_at)
ON CONFLICT (person_id, procedure, key) DO UPDATE
    SET request_hash = excluded.request_hash, response = NULL, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at
    WHERE k.expires_at <= excluded.claimed_at
       OR (k.response IS NULL AND k.claimed_at < @abandoned_before AND k.request_hash = excluded.request_hash);

-- name: GetIdempotencyKey :one
SELECT request_hash, response FROM rpc.idempotency_keys
WHERE person_id = @person_id AND procedure = @procedure AND key = @key;

-- name: FinishIdempotencyKey :exec
UPDATE rpc.idempotency_keys SET response = @response
WHERE person_id = @person_id AND procedure = @procedure AND key = @key AND claimed_at = @claimed_at;

-- name: ReleaseIdempotencyKey :exec
DELETE FROM rpc.idempotency_keys
WHERE person_id = @person_id AND procedure = @procedure AND key = @key AND claimed_at = @claimed_at AND response IS NULL;
