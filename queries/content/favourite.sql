-- name: AddFavourite :execrows
-- Makes a published meditation a favourite; one that is stays as old as it is. Tells 0 when there is no such meditation.
INSERT INTO content.favourites (user_id, meditation_id, created_at)
SELECT sqlc.arg(user_id), m.id, sqlc.arg(created_at) FROM content.meditations m
WHERE m.id = sqlc.arg(meditation_id) AND m.published_at IS NOT NULL AND EXISTS (SELECT FROM content.meditation_texts t WHERE t.meditation_id = m.id)
ON CONFLICT (user_id, meditation_id) DO UPDATE SET created_at = content.favourites.created_at;

-- name: RemoveFavourite :exec
DELETE FROM content.favourites WHERE user_id = sqlc.arg(user_id) AND meditation_id = sqlc.arg(meditation_id);

-- name: IsFavourite :one
SELECT EXISTS (SELECT FROM content.favourites WHERE user_id = sqlc.arg(user_id) AND meditation_id = sqlc.arg(meditation_id));

-- name: ListFavourites :many
-- One page of a person's favourites that are published, newest first.
SELECT sqlc.embed(m), f.created_at AS favourite_since FROM content.favourites f
JOIN content.localised_meditations m ON m.id = f.meditation_id AND m.asked_locale = sqlc.arg(locale)::text
WHERE f.user_id = sqlc.arg(user_id)
  AND f.created_at <= sqlc.arg(before)::timestamptz
  AND (f.created_at < sqlc.arg(before)::timestamptz OR f.meditation_id > sqlc.arg(after_id)::uuid)
ORDER BY f.created_at DESC, f.meditation_id
LIMIT sqlc.arg(page_size);

-- name: ListFavouriteIDs :many
-- The newest favourites of a person, published or not.
SELECT meditation_id FROM content.favourites WHERE user_id = sqlc.arg(user_id) ORDER BY created_at DESC, meditation_id LIMIT sqlc.arg(at_most);
