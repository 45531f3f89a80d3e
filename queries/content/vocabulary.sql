-- name: UpsertTag :exec
INSERT INTO content.tags (code, title_en, title_ru, title_sr) VALUES (sqlc.arg(code), sqlc.arg(title_en), sqlc.arg(title_ru), sqlc.arg(title_sr))
ON CONFLICT (code) DO UPDATE SET title_en = excluded.title_en, title_ru = excluded.title_ru, title_sr = excluded.title_sr;

-- name: UpsertVoice :exec
INSERT INTO content.voices (code, title_en, title_ru, title_sr) VALUES (sqlc.arg(code), sqlc.arg(title_en), sqlc.arg(title_ru), sqlc.arg(title_sr))
ON CONFLICT (code) DO UPDATE SET title_en = excluded.title_en, title_ru = excluded.title_ru, title_sr = excluded.title_sr;
