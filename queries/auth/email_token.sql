-- name: InsertEmailToken :exec
INSERT INTO auth.email_tokens (account_id, hash, purpose, email, created_at, expires_at)
VALUES (sqlc.arg(account_id), sqlc.arg(hash), sqlc.arg(purpose), sqlc.arg(email), sqlc.arg(created_at), sqlc.arg(expires_at));

-- name: UseEmailToken :one
DELETE FROM auth.email_tokens WHERE hash = sqlc.arg(hash) AND purpose = sqlc.arg(purpose) AND expires_at > sqlc.arg(now)
RETURNING account_id, email;

-- name: GetEmailToken :one
SELECT t.account_id, a.email, a.display_name FROM auth.email_tokens t JOIN auth.accounts a ON a.id = t.account_id
WHERE t.hash = sqlc.arg(hash) AND t.purpose = sqlc.arg(purpose) AND t.expires_at > sqlc.arg(now);

-- name: DeleteEmailTokens :exec
DELETE FROM auth.email_tokens WHERE account_id = sqlc.arg(account_id) AND purpose = sqlc.arg(purpose);
