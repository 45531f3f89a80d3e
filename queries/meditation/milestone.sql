-- name: LockPractised :one
-- As LockPerson, for what follows from sessions: it changes none of them, so it needs no number, and who has been erased is not made anew.
SELECT user_id FROM meditation.people WHERE user_id = sqlc.arg(user_id) FOR NO KEY UPDATE;

-- name: ListMilestones :many
-- In the order in which they were reached. There are no more than the thresholds there ever were.
SELECT kind, threshold, reached_at FROM meditation.milestones WHERE user_id = sqlc.arg(user_id) ORDER BY reached_at, kind, threshold LIMIT 1000;

-- name: InsertMilestones :exec
INSERT INTO meditation.milestones (user_id, kind, threshold, reached_at)
SELECT sqlc.arg(user_id), n.kind, n.threshold, sqlc.arg(now)
FROM (SELECT unnest(sqlc.arg(kinds)::text[]) AS kind, unnest(sqlc.arg(thresholds)::integer[]) AS threshold) n
ON CONFLICT (user_id, kind, threshold) DO NOTHING;

-- name: SetStreakRecord :exec
-- The longest streak by a version of the rule.
INSERT INTO meditation.streak_records (user_id, rule_version, longest_days) VALUES (sqlc.arg(user_id), sqlc.arg(rule_version), sqlc.arg(longest_days))
ON CONFLICT (user_id, rule_version) DO UPDATE SET longest_days = excluded.longest_days WHERE streak_records.longest_days <> excluded.longest_days;

-- name: InsertCourseCompletion :execrows
-- Nothing when it was completed before.
INSERT INTO meditation.course_completions (user_id, course_id, completed_at) VALUES (sqlc.arg(user_id), sqlc.arg(course_id), sqlc.arg(now))
ON CONFLICT (user_id, course_id) DO NOTHING;
