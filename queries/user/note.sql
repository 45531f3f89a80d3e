-- name: InsertNote :exec
INSERT INTO users.notes (user_id, id, author_id, text, created_at)
VALUES (sqlc.arg(user_id), sqlc.arg(id), sqlc.arg(author_id), sqlc.arg(text), sqlc.arg(created_at));

-- name: ListNotes :many
SELECT * FROM users.notes WHERE user_id = sqlc.arg(user_id) AND id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page_size);

-- name: CountNotes :one
SELECT count(*) FROM users.notes WHERE user_id = sqlc.arg(user_id);

-- name: DeleteNote :one
DELETE FROM users.notes WHERE user_id = sqlc.arg(user_id) AND id = sqlc.arg(id) RETURNING *;
