-- name: InsertPasskey :exec
INSERT INTO auth.passkeys (account_id, credential_id, credential, name, created_at)
VALUES (sqlc.arg(account_id), sqlc.arg(credential_id), sqlc.arg(credential), sqlc.arg(name), sqlc.arg(created_at));

-- name: ListPasskeys :many
SELECT * FROM auth.passkeys WHERE account_id = sqlc.arg(account_id) ORDER BY created_at, credential_id LIMIT 100;

-- name: GetPasskeyForUpdate :one
SELECT * FROM auth.passkeys WHERE account_id = sqlc.arg(account_id) AND credential_id = sqlc.arg(credential_id) FOR UPDATE;

-- name: UsePasskey :exec
UPDATE auth.passkeys SET credential = sqlc.arg(credential), last_used_at = sqlc.arg(now)::timestamptz
WHERE account_id = sqlc.arg(account_id) AND credential_id = sqlc.arg(credential_id);

-- name: DeletePasskey :execrows
DELETE FROM auth.passkeys WHERE account_id = sqlc.arg(account_id) AND credential_id = sqlc.arg(credential_id);

-- name: DeletePasskeys :exec
DELETE FROM auth.passkeys WHERE account_id = sqlc.arg(account_id);
