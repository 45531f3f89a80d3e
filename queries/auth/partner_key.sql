-- name: InsertPartnerKey :exec
INSERT INTO auth.partner_keys (id, name, hash, scopes, created_by, created_at, expires_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(hash), sqlc.arg(scopes), sqlc.arg(created_by), sqlc.arg(created_at), sqlc.arg(expires_at));

-- name: GetPartnerKeyByHash :one
SELECT * FROM auth.partner_keys WHERE hash = sqlc.arg(hash);

-- name: ListPartnerKeys :many
SELECT * FROM auth.partner_keys WHERE id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page_size);

-- name: RevokePartnerKey :one
UPDATE auth.partner_keys SET revoked_at = coalesce(revoked_at, sqlc.arg(now)::timestamptz) WHERE id = sqlc.arg(id) RETURNING *;

-- name: ListRevokedPartnerKeys :many
SELECT id, revoked_at FROM auth.partner_keys WHERE revoked_at > sqlc.arg(since)::timestamptz ORDER BY revoked_at DESC LIMIT 10000;

-- name: TouchPartnerKey :exec
UPDATE auth.partner_keys SET last_used_at = sqlc.arg(now)::timestamptz WHERE id = sqlc.arg(id);
