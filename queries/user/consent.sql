-- name: InsertConsent :exec
INSERT INTO users.consents (user_id, id, purpose, granted, policy_version, recorded_at)
VALUES (sqlc.arg(user_id), sqlc.arg(id), sqlc.arg(purpose), sqlc.arg(granted), sqlc.arg(policy_version), sqlc.arg(recorded_at));

-- name: GetConsent :one
-- The one that holds.
SELECT * FROM users.consents WHERE user_id = sqlc.arg(user_id) AND purpose = sqlc.arg(purpose) ORDER BY id DESC LIMIT 1;

-- name: ListCurrentConsents :many
SELECT DISTINCT ON (purpose) * FROM users.consents WHERE user_id = sqlc.arg(user_id) ORDER BY purpose, id DESC LIMIT 100;

-- name: ListConsents :many
SELECT * FROM users.consents WHERE user_id = sqlc.arg(user_id) AND id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page_size);
