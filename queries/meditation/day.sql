-- name: GetPractice :one
-- The practice of a person as a whole, from their days: dates ascend, as days since 1970-01-01. earlier_longest is the longest streak by rules before this one.
SELECT coalesce(sum(d.sessions), 0)::bigint AS sessions, coalesce(sum(d.seconds), 0)::bigint AS seconds,
    coalesce(array_agg(d.local_date - date '1970-01-01' ORDER BY d.local_date), '{}')::integer[] AS dates,
    coalesce((SELECT max(r.longest_days) FROM meditation.streak_records r WHERE r.user_id = sqlc.arg(user_id) AND r.rule_version < sqlc.arg(rule_version)), 0)::integer AS earlier_longest
FROM meditation.days d WHERE d.user_id = sqlc.arg(user_id) AND d.sessions > 0;

-- name: ListDays :many
-- One row a date, so a span of dates bounds them.
SELECT d.local_date - date '1970-01-01' AS date, d.sessions, d.seconds FROM meditation.days d
WHERE d.user_id = sqlc.arg(user_id) AND d.local_date BETWEEN sqlc.arg(from_date) AND sqlc.arg(to_date) AND d.sessions > 0 ORDER BY d.local_date
LIMIT sqlc.arg(dates);
