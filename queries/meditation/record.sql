-- name: RecordSessions :many
-- Locks a person, as LockPerson does, then stores whole sessions of theirs, each client id once, with their notes, adds them to their days, and gives
-- those that were stored. What is there already is left alone. The days need no count: what was stored just now was in none of them.
WITH locked AS (
    INSERT INTO meditation.people (user_id, change) VALUES (sqlc.arg(user_id), 1)
    ON CONFLICT (user_id) DO UPDATE SET change = people.change + 1
    RETURNING change
), stored AS (
    INSERT INTO meditation.sessions (
        user_id, id, client_id, meditation_id, course_id, state, started_at, ended_at, practiced_seconds, planned_seconds, time_zone, day_start_hour,
        local_date, clock_skew_seconds, finished, mood_before, mood_after, has_note, seen_at, change, updated_at)
    SELECT sqlc.arg(user_id), n.id, n.client_id, nullif(n.meditation_id, '00000000-0000-0000-0000-000000000000'), nullif(n.course_id, '00000000-0000-0000-0000-000000000000'),
        'completed', n.started_at, n.ended_at, n.practiced_seconds, n.planned_seconds, n.time_zone, sqlc.arg(day_start_hour), n.local_date, sqlc.arg(clock_skew_seconds),
        n.finished, nullif(n.mood_before, 0), nullif(n.mood_after, 0), n.sealed_note <> '', n.ended_at,
        (SELECT l.change FROM locked l), sqlc.arg(now)
    FROM (
        SELECT unnest(sqlc.arg(ids)::uuid[]) AS id, unnest(sqlc.arg(client_ids)::uuid[]) AS client_id, unnest(sqlc.arg(meditation_ids)::uuid[]) AS meditation_id,
            unnest(sqlc.arg(course_ids)::uuid[]) AS course_id, unnest(sqlc.arg(started_ats)::timestamptz[]) AS started_at, unnest(sqlc.arg(ended_ats)::timestamptz[]) AS ended_at,
            unnest(sqlc.arg(practiced)::integer[]) AS practiced_seconds, unnest(sqlc.arg(planned)::integer[]) AS planned_seconds, unnest(sqlc.arg(time_zones)::text[]) AS time_zone,
            unnest(sqlc.arg(local_dates)::date[]) AS local_date, unnest(sqlc.arg(finished)::boolean[]) AS finished, unnest(sqlc.arg(moods_before)::smallint[]) AS mood_before,
            unnest(sqlc.arg(moods_after)::smallint[]) AS mood_after, unnest(sqlc.arg(sealed_notes)::bytea[]) AS sealed_note
    ) n
    ON CONFLICT (user_id, client_id) DO NOTHING
    RETURNING *
), noted AS (
    INSERT INTO meditation.notes (user_id, client_id, sealed)
    SELECT s.user_id, s.client_id, n.sealed_note
    FROM stored s JOIN (SELECT unnest(sqlc.arg(client_ids)::uuid[]) AS client_id, unnest(sqlc.arg(sealed_notes)::bytea[]) AS sealed_note) n ON n.client_id = s.client_id
    WHERE s.has_note
), counted AS (
    INSERT INTO meditation.days (user_id, local_date, sessions, seconds)
    SELECT s.user_id, s.local_date, count(*), least(sum(s.practiced_seconds), 2147483647) FROM stored s WHERE s.practiced_seconds > 0 GROUP BY s.user_id, s.local_date
    ON CONFLICT (user_id, local_date) DO UPDATE SET
        sessions = days.sessions + excluded.sessions, seconds = least(days.seconds::bigint + excluded.seconds, 2147483647)
)
SELECT * FROM stored LIMIT 500;

-- name: RecountDays :exec
-- Counts local dates of a person anew from the sessions that have ended. The sessions of a date start within a day before and three days after it
-- (UTC): zones are at most 16 hours off, and a day begins at 23 at the latest.
INSERT INTO meditation.days (user_id, local_date, sessions, seconds)
SELECT sqlc.arg(user_id), t.local_date, c.sessions, c.seconds
FROM (SELECT DISTINCT unnest(sqlc.arg(local_dates)::date[]) AS local_date) t
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS sessions, least(coalesce(sum(s.practiced_seconds), 0), 2147483647)::integer AS seconds
    FROM meditation.sessions s
    WHERE s.user_id = sqlc.arg(user_id) AND s.local_date = t.local_date
        AND s.started_at >= (t.local_date - 1)::timestamp AT TIME ZONE 'UTC' AND s.started_at < (t.local_date + 3)::timestamp AT TIME ZONE 'UTC'
        AND s.state <> 'deleted' AND s.state <> 'running' AND s.practiced_seconds > 0
) c
ON CONFLICT (user_id, local_date) DO UPDATE SET sessions = excluded.sessions, seconds = excluded.seconds;

-- name: ListSessionsByClientIDs :many
SELECT * FROM meditation.sessions WHERE user_id = sqlc.arg(user_id) AND client_id = ANY(sqlc.arg(client_ids)::uuid[]);
