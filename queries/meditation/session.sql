-- name: GetSession :one
SELECT * FROM meditation.sessions WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) AND state <> 'deleted';

-- name: GetSessionByClientID :one
-- A tombstone, too.
SELECT * FROM meditation.sessions WHERE user_id = sqlc.arg(user_id) AND client_id = sqlc.arg(client_id);

-- name: LockSession :one
-- A tombstone, too. The person is locked already: this keeps heartbeats away, which do not lock the person.
SELECT * FROM meditation.sessions WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) FOR UPDATE;

-- name: StartSession :one
-- Nothing when there is a session of this client id.
INSERT INTO meditation.sessions (
    user_id, id, client_id, meditation_id, course_id, state, started_at, practiced_seconds, planned_seconds, time_zone, day_start_hour, local_date,
    clock_skew_seconds, finished, seen_at, change, updated_at)
VALUES (
    sqlc.arg(user_id), sqlc.arg(id), sqlc.arg(client_id), sqlc.narg(meditation_id), sqlc.narg(course_id), 'running', sqlc.arg(started_at), 0,
    sqlc.arg(planned_seconds), sqlc.arg(time_zone), sqlc.arg(day_start_hour), sqlc.arg(local_date), sqlc.arg(clock_skew_seconds), false, sqlc.arg(started_at), sqlc.arg(change), sqlc.arg(now))
ON CONFLICT (user_id, client_id) DO NOTHING
RETURNING *;

-- name: HearOfSession :one
-- Nothing when it has ended. What was heard never goes back. It is no change that phones are told of, so the person is not locked.
UPDATE meditation.sessions SET practiced_seconds = greatest(practiced_seconds, sqlc.arg(practiced_seconds)), seen_at = greatest(seen_at, sqlc.arg(seen_at))
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) AND state = 'running'
RETURNING *;

-- name: EndSession :one
-- Moods that are not told leave those that are there.
UPDATE meditation.sessions SET state = sqlc.arg(state), ended_at = sqlc.arg(ended_at)::timestamptz, practiced_seconds = sqlc.arg(practiced_seconds),
    finished = sqlc.arg(finished), mood_before = coalesce(sqlc.narg(mood_before)::smallint, mood_before),
    mood_after = coalesce(sqlc.narg(mood_after)::smallint, mood_after), has_note = has_note OR sqlc.arg(has_note)::boolean,
    change = sqlc.arg(change), updated_at = sqlc.arg(now)
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id)
RETURNING *;

-- name: RestartSession :one
-- Gives a session other times than those it was started with, to be ended with.
UPDATE meditation.sessions SET state = 'running', ended_at = NULL, started_at = sqlc.arg(started_at), time_zone = sqlc.arg(time_zone),
    day_start_hour = sqlc.arg(day_start_hour), local_date = sqlc.arg(local_date), clock_skew_seconds = sqlc.arg(clock_skew_seconds)
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id)
RETURNING *;

-- name: DescribeSession :one
UPDATE meditation.sessions SET mood_before = sqlc.narg(mood_before), mood_after = sqlc.narg(mood_after), has_note = sqlc.arg(has_note),
    change = sqlc.arg(change), updated_at = sqlc.arg(now)
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id)
RETURNING *;

-- name: DeleteSession :exec
-- Leaves a tombstone, which says nothing of the practice but when it began.
UPDATE meditation.sessions SET state = 'deleted', meditation_id = NULL, course_id = NULL, ended_at = started_at, practiced_seconds = 0, planned_seconds = 0,
    finished = false, mood_before = NULL, mood_after = NULL, has_note = false, seen_at = started_at, change = sqlc.arg(change), updated_at = sqlc.arg(now)
WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id);

-- name: DeleteStreakRecords :exec
-- Those of older versions of the rule cannot be counted anew, so they go with what they may have counted.
DELETE FROM meditation.streak_records WHERE user_id = sqlc.arg(user_id) AND rule_version < sqlc.arg(rule_version);

-- name: ListSessions :many
-- Newest first, those of local dates from one to another. The bounds of the start are looser, and are what the index serves.
SELECT * FROM meditation.sessions
WHERE user_id = sqlc.arg(user_id) AND state <> 'deleted'
    AND started_at >= sqlc.arg(started_from) AND started_at < sqlc.arg(started_until)
    AND local_date BETWEEN sqlc.arg(from_date) AND sqlc.arg(to_date)
    AND (sqlc.narg(guided)::boolean IS NULL OR (meditation_id IS NOT NULL) = sqlc.narg(guided)::boolean)
    AND (started_at, id) < (sqlc.arg(before_started_at)::timestamptz, sqlc.arg(before_id)::uuid)
ORDER BY started_at DESC, id DESC LIMIT sqlc.arg(page_size);

-- name: ListCourseSessions :many
-- ListSessions of one course: another index serves it.
SELECT * FROM meditation.sessions
WHERE user_id = sqlc.arg(user_id) AND state <> 'deleted' AND course_id = sqlc.arg(course_id)::uuid
    AND started_at >= sqlc.arg(started_from) AND started_at < sqlc.arg(started_until)
    AND local_date BETWEEN sqlc.arg(from_date) AND sqlc.arg(to_date)
    AND (sqlc.narg(guided)::boolean IS NULL OR (meditation_id IS NOT NULL) = sqlc.narg(guided)::boolean)
    AND (started_at, id) < (sqlc.arg(before_started_at)::timestamptz, sqlc.arg(before_id)::uuid)
ORDER BY started_at DESC, id DESC LIMIT sqlc.arg(page_size);
