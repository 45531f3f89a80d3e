-- name: InsertOidcFlow :exec
INSERT INTO auth.oidc_flows (state_hash, provider, return_url, account_id, session_id, device, created_at, expires_at)
VALUES (sqlc.arg(state_hash), sqlc.arg(provider), sqlc.arg(return_url), sqlc.narg(account_id), sqlc.narg(session_id), sqlc.arg(device), sqlc.arg(created_at), sqlc.arg(expires_at));

-- name: GetOidcFlow :one
SELECT * FROM auth.oidc_flows WHERE state_hash = sqlc.arg(state_hash) AND expires_at > sqlc.arg(now);

-- name: TakeOidcFlow :one
DELETE FROM auth.oidc_flows WHERE state_hash = sqlc.arg(state_hash) AND expires_at > sqlc.arg(now) RETURNING *;

-- name: DeleteOidcFlows :exec
-- What an account was about to be linked to.
DELETE FROM auth.oidc_flows WHERE account_id = sqlc.arg(account_id)::uuid;

-- name: GetIdentityAccount :one
SELECT account_id FROM auth.identities WHERE provider = sqlc.arg(provider) AND subject = sqlc.arg(subject);

-- name: InsertIdentity :execrows
-- Nothing when the identity is linked to an account, or the account has another one of the provider.
INSERT INTO auth.identities (account_id, provider, subject, email, created_at)
VALUES (sqlc.arg(account_id), sqlc.arg(provider), sqlc.arg(subject), sqlc.arg(email), sqlc.arg(created_at))
ON CONFLICT DO NOTHING;

-- name: ListIdentities :many
SELECT * FROM auth.identities WHERE account_id = sqlc.arg(account_id) ORDER BY provider LIMIT 100;

-- name: DeleteIdentity :execrows
DELETE FROM auth.identities WHERE account_id = sqlc.arg(account_id) AND provider = sqlc.arg(provider);
