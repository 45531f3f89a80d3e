-- name: InsertAccount :execrows
-- Nothing when the address is taken.
INSERT INTO auth.accounts (id, email, email_verified_at, password_hash, password_set_at, display_name, locale, time_zone, demo, created_at)
VALUES (sqlc.arg(id), sqlc.arg(email), sqlc.arg(email_verified_at), sqlc.arg(password_hash), sqlc.arg(password_set_at), sqlc.arg(display_name), sqlc.arg(locale), sqlc.arg(time_zone), sqlc.arg(demo), sqlc.arg(created_at))
ON CONFLICT (email) DO NOTHING;

-- name: GetAccount :one
SELECT sqlc.embed(a), ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = a.id ORDER BY r.role)::text[] AS roles
FROM auth.accounts a WHERE a.id = sqlc.arg(id);

-- name: GetAccountByEmail :one
SELECT sqlc.embed(a), ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = a.id ORDER BY r.role)::text[] AS roles
FROM auth.accounts a WHERE a.email = sqlc.arg(email);

-- name: ShareAccount :one
-- Nothing of the account changes until the end of the transaction. What it is has to be read by another statement: this one may have waited,
-- and would see of other tables what they held before.
SELECT id FROM auth.accounts WHERE id = sqlc.arg(id) FOR SHARE;

-- name: ShareAccountOfSession :one
-- As ShareAccount, for the session of a refresh token, which names no person.
SELECT a.* FROM auth.sessions s JOIN auth.accounts a ON a.id = s.account_id WHERE s.id = sqlc.arg(session_id) FOR SHARE OF a;

-- name: LockAccount :one
-- Changes of how an account is signed in to take turns.
SELECT id FROM auth.accounts WHERE id = sqlc.arg(id) FOR NO KEY UPDATE;

-- name: GetAccountIDByEmail :one
SELECT id FROM auth.accounts WHERE email = sqlc.arg(email);

-- name: SetPassword :exec
-- The time tells one password from the next, whatever the clocks.
UPDATE auth.accounts SET password_hash = sqlc.arg(password_hash)::text,
    password_set_at = greatest(sqlc.arg(now)::timestamptz, password_set_at + interval '1 microsecond') WHERE id = sqlc.arg(id);

-- name: UpgradePassword :exec
-- The same password under newer parameters, unless it was changed meanwhile.
UPDATE auth.accounts SET password_hash = sqlc.arg(new_hash)::text WHERE id = sqlc.arg(id) AND password_hash = sqlc.arg(old_hash)::text;

-- name: OutdateTokens :one
-- Later than every access token so far, whatever the clock of the process that made it: each is noted in its session.
-- Whole milliseconds, as tokens have them: those until now are before it, and the next one is not.
UPDATE auth.accounts a SET outdated_at = date_trunc('milliseconds', greatest(sqlc.arg(now)::timestamptz, a.outdated_at,
    (SELECT max(s.last_seen_at) FROM auth.sessions s WHERE s.account_id = a.id AND s.ended_at IS NULL))) + interval '1 millisecond'
WHERE a.id = sqlc.arg(id) RETURNING outdated_at::timestamptz;

-- name: ListOutdated :many
SELECT id, outdated_at FROM auth.accounts WHERE outdated_at > sqlc.arg(since)::timestamptz ORDER BY outdated_at DESC LIMIT 100000;

-- name: VerifyEmail :execrows
UPDATE auth.accounts SET email_verified_at = sqlc.arg(now)::timestamptz
WHERE id = sqlc.arg(id) AND email = sqlc.arg(email) AND email_verified_at IS NULL;

-- name: SetContact :execrows
-- What is null stays as it is.
UPDATE auth.accounts SET display_name = coalesce(sqlc.narg(display_name)::text, display_name), locale = coalesce(sqlc.narg(locale)::text, locale),
    time_zone = coalesce(sqlc.narg(time_zone)::text, time_zone)
WHERE id = sqlc.arg(id);

-- name: SetAccountState :exec
UPDATE auth.accounts SET state = sqlc.arg(state) WHERE id = sqlc.arg(id);
