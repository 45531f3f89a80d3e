-- name: PutTotp :execrows
-- A secret that was never confirmed gives way to the new one.
INSERT INTO auth.totps (account_id, secret, created_at, last_step) VALUES (sqlc.arg(account_id), sqlc.arg(secret), sqlc.arg(now), 0)
ON CONFLICT (account_id) DO UPDATE SET secret = EXCLUDED.secret, created_at = EXCLUDED.created_at, last_step = 0 WHERE auth.totps.confirmed_at IS NULL;

-- name: GetTotp :one
SELECT * FROM auth.totps WHERE account_id = sqlc.arg(account_id);

-- name: UseTotpStep :execrows
-- Nothing when a code of this time step, or of a later one, was accepted before.
UPDATE auth.totps SET last_step = sqlc.arg(step) WHERE account_id = sqlc.arg(account_id) AND last_step < sqlc.arg(step);

-- name: ConfirmTotp :execrows
-- Nothing when there is another secret by now than the one that a code was seen of.
UPDATE auth.totps SET confirmed_at = sqlc.arg(now)::timestamptz WHERE account_id = sqlc.arg(account_id) AND secret = sqlc.arg(secret) AND confirmed_at IS NULL;

-- name: DeleteTotp :execrows
DELETE FROM auth.totps WHERE account_id = sqlc.arg(account_id);

-- name: InsertRecoveryCodes :exec
INSERT INTO auth.recovery_codes (account_id, hash, created_at)
SELECT sqlc.arg(account_id)::uuid, h, sqlc.arg(now)::timestamptz FROM unnest(sqlc.arg(hashes)::bytea[]) AS h;

-- name: UseRecoveryCode :execrows
DELETE FROM auth.recovery_codes WHERE account_id = sqlc.arg(account_id) AND hash = sqlc.arg(hash);

-- name: DeleteRecoveryCodes :exec
DELETE FROM auth.recovery_codes WHERE account_id = sqlc.arg(account_id);

-- name: CountFactors :one
-- What an account has to sign in with.
SELECT
    (SELECT count(*) FROM auth.totps t WHERE t.account_id = sqlc.arg(account_id) AND t.confirmed_at IS NOT NULL) AS totps,
    (SELECT count(*) FROM auth.recovery_codes c WHERE c.account_id = sqlc.arg(account_id)) AS recovery_codes,
    (SELECT count(*) FROM auth.passkeys p WHERE p.account_id = sqlc.arg(account_id)) AS passkeys,
    (SELECT count(*) FROM auth.identities i WHERE i.account_id = sqlc.arg(account_id)) AS identities;
