-- name: LockSeed :exec
-- Makes processes that load the same seed take turns.
SELECT pg_advisory_xact_lock(hashtext('content seed ' || sqlc.arg(name)::text));

-- name: GetSeedDigest :one
SELECT digest FROM content.seeds WHERE name = sqlc.arg(name);

-- name: MarkSeed :exec
INSERT INTO content.seeds (name, digest, loaded_at) VALUES (sqlc.arg(name), sqlc.arg(digest), sqlc.arg(loaded_at))
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, loaded_at = excluded.loaded_at;
