-- name: ListCategories :many
SELECT * FROM content.categories ORDER BY position, code LIMIT 1000;

-- name: ListTags :many
SELECT * FROM content.tags ORDER BY code LIMIT 1000;

-- name: ListVoices :many
SELECT * FROM content.voices ORDER BY code LIMIT 1000;

-- name: UpsertCategory :exec
INSERT INTO content.categories (code, position, title_en, title_ru, title_sr)
VALUES (sqlc.arg(code), sqlc.arg(position), sqlc.arg(title_en), sqlc.arg(title_ru), sqlc.arg(title_sr))
ON CONFLICT (code) DO UPDATE SET position = excluded.position, title_en = excluded.title_en, title_ru = excluded.title_ru, title_sr = excluded.title_sr;

-- name: UpsertTag :exec
INSERT INTO content.tags (code, title_en, title_ru, title_sr) VALUES (sqlc.arg(code), sqlc.arg(title_en), sqlc.arg(title_ru), sqlc.arg(title_sr))
ON CONFLICT (code) DO UPDATE SET title_en = excluded.title_en, title_ru = excluded.title_ru, title_sr = excluded.title_sr;

-- name: UpsertVoice :exec
INSERT INTO content.voices (code, title_en, title_ru, title_sr) VALUES (sqlc.arg(code), sqlc.arg(title_en), sqlc.arg(title_ru), sqlc.arg(title_sr))
ON CONFLICT (code) DO UPDATE SET title_en = excluded.title_en, title_ru = excluded.title_ru, title_sr = excluded.title_sr;
