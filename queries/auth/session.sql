-- name: InsertSession :one
-- Gives how many live sessions the person had before.
INSERT INTO auth.sessions (account_id, id, device, network, created_at, last_seen_at, authenticated_at, second_factor, generation, secret_hash, rotated_at, expires_at)
VALUES (sqlc.arg(account_id), sqlc.arg(id), sqlc.arg(device), sqlc.arg(network), sqlc.arg(now), sqlc.arg(now), sqlc.arg(now), sqlc.arg(second_factor), 0, sqlc.arg(secret_hash), clock_timestamp(), sqlc.arg(expires_at))
RETURNING (SELECT count(*) FROM auth.sessions s WHERE s.account_id = sqlc.arg(account_id) AND s.ended_at IS NULL) AS before;

-- name: LockSession :one
-- Refreshes of one session take turns. The age of the newest token is by the clock of the database, since processes may differ in theirs.
SELECT sqlc.embed(s), (extract(epoch FROM clock_timestamp() - s.rotated_at))::float8 AS token_age_seconds,
    ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = s.account_id ORDER BY r.role)::text[] AS roles
FROM auth.sessions s WHERE s.account_id = sqlc.arg(account_id) AND s.id = sqlc.arg(id) FOR NO KEY UPDATE OF s;

-- name: RotateSession :exec
UPDATE auth.sessions SET generation = sqlc.arg(generation), secret_hash = sqlc.arg(secret_hash), rotated_at = clock_timestamp(), last_seen_at = greatest(last_seen_at, sqlc.arg(now)::timestamptz),
    expires_at = sqlc.arg(expires_at), network = coalesce(sqlc.narg(network), network)
WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id);

-- name: TouchSession :exec
UPDATE auth.sessions SET last_seen_at = greatest(last_seen_at, sqlc.arg(now)::timestamptz) WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id);

-- name: EndSurplusSessions :many
-- All but the live sessions that were used last.
UPDATE auth.sessions u SET ended_at = sqlc.arg(now)::timestamptz, end_reason = 'surplus'
WHERE u.account_id = sqlc.arg(account_id) AND u.ended_at IS NULL AND u.id IN (
    SELECT s.id FROM auth.sessions s WHERE s.account_id = sqlc.arg(account_id) AND s.ended_at IS NULL AND s.expires_at > sqlc.arg(now)::timestamptz
    ORDER BY s.last_seen_at DESC, s.id OFFSET sqlc.arg(kept)::integer LIMIT 1000)
RETURNING u.id;

-- name: GetSession :one
SELECT * FROM auth.sessions WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id);

-- name: GetSessionAccount :one
SELECT account_id FROM auth.sessions WHERE id = sqlc.arg(id);

-- name: ListSessions :many
SELECT * FROM auth.sessions
WHERE account_id = sqlc.arg(account_id) AND ended_at IS NULL AND expires_at > sqlc.arg(now)
ORDER BY last_seen_at DESC, id LIMIT 100;

-- name: EndSession :execrows
UPDATE auth.sessions SET ended_at = sqlc.arg(now)::timestamptz, end_reason = sqlc.arg(reason)::text
WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id) AND ended_at IS NULL AND expires_at > sqlc.arg(now)::timestamptz;

-- name: EndSessions :many
-- Every session of a person; the ids of those that were live. LIMIT is not needed: they are one person's.
UPDATE auth.sessions SET ended_at = sqlc.arg(now)::timestamptz, end_reason = sqlc.arg(reason)::text
WHERE account_id = ANY(ARRAY[sqlc.arg(account_id)::uuid]) AND ended_at IS NULL
RETURNING id;

-- name: StrengthenSession :execrows
-- The person has just proved a second factor in this session.
UPDATE auth.sessions SET second_factor = true, authenticated_at = sqlc.arg(now)
WHERE account_id = sqlc.arg(account_id) AND id = sqlc.arg(id) AND ended_at IS NULL;

-- name: WeakenSessions :exec
-- The second factor is gone: no session counts as signed in with it.
UPDATE auth.sessions SET second_factor = false WHERE account_id = sqlc.arg(account_id) AND ended_at IS NULL;

-- name: ListEndedSessions :many
-- Those that ended lately, whose access tokens may not have expired.
SELECT id, ended_at FROM auth.sessions WHERE ended_at > sqlc.arg(since)::timestamptz ORDER BY ended_at DESC LIMIT 100000;
