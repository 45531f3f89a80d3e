-- name: GetProfile :one
SELECT * FROM users.profiles WHERE user_id = sqlc.arg(user_id);

-- name: SetProfile :exec
-- What is null stays as it is. An empty country is none.
INSERT INTO users.profiles AS p (user_id, day_start_hour, units, country_code, updated_at)
VALUES (sqlc.arg(user_id), coalesce(sqlc.narg(day_start_hour)::smallint, 0), coalesce(sqlc.narg(units)::text, 'metric'), nullif(sqlc.narg(country_code)::text, ''), sqlc.arg(now)::timestamptz)
ON CONFLICT (user_id) DO UPDATE SET
    day_start_hour = coalesce(sqlc.narg(day_start_hour)::smallint, p.day_start_hour),
    units = coalesce(sqlc.narg(units)::text, p.units),
    country_code = CASE WHEN sqlc.narg(country_code)::text IS NULL THEN p.country_code ELSE nullif(sqlc.narg(country_code)::text, '') END,
    updated_at = sqlc.arg(now)::timestamptz;

-- name: LockPerson :exec
-- Until the end of the transaction, what depends on each other in a person's data (consent and health profile, country and age) is changed by nobody else.
SELECT pg_advisory_xact_lock(hashtextextended('mindspace.user ' || sqlc.arg(user_id)::uuid::text, 0));
