-- name: LockPerson :one
-- Makes changes of one person take turns, and gives the number of this one.
INSERT INTO meditation.people (user_id, change) VALUES (sqlc.arg(user_id), 1)
ON CONFLICT (user_id) DO UPDATE SET change = people.change + 1
RETURNING change;
