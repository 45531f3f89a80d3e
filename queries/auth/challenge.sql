-- name: InsertChallenge :exec
INSERT INTO auth.challenges (hash, kind, account_id, device, data, created_at, expires_at)
VALUES (sqlc.arg(hash), sqlc.arg(kind), sqlc.narg(account_id), sqlc.arg(device), sqlc.arg(data), sqlc.arg(created_at), sqlc.arg(expires_at));

-- name: GetChallenge :one
SELECT * FROM auth.challenges WHERE hash = sqlc.arg(hash) AND kind = sqlc.arg(kind) AND expires_at > sqlc.arg(now);

-- name: LockChallenge :one
SELECT * FROM auth.challenges WHERE hash = sqlc.arg(hash) AND kind = sqlc.arg(kind) AND expires_at > sqlc.arg(now) FOR UPDATE;

-- name: TakeChallenge :one
DELETE FROM auth.challenges WHERE hash = sqlc.arg(hash) AND kind = sqlc.arg(kind) AND expires_at > sqlc.arg(now) RETURNING *;

-- name: CountWrongGuess :exec
UPDATE auth.challenges SET wrong_guesses = wrong_guesses + 1 WHERE hash = sqlc.arg(hash);

-- name: DeleteChallenge :exec
DELETE FROM auth.challenges WHERE hash = sqlc.arg(hash);

-- name: DeleteChallenges :exec
DELETE FROM auth.challenges WHERE account_id = sqlc.arg(account_id)::uuid;
