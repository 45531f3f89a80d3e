-- name: GetAccountDetails :one
-- last_seen_at is 1970 when no session is known.
SELECT sqlc.embed(a), ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = a.id ORDER BY r.role)::text[] AS roles,
    (EXISTS (SELECT FROM auth.totps t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL) OR EXISTS (SELECT FROM auth.passkeys p WHERE p.account_id = a.id))::boolean AS second_factor,
    (SELECT count(*) FROM auth.sessions s WHERE s.account_id = a.id AND s.ended_at IS NULL AND s.expires_at > sqlc.arg(now)::timestamptz) AS live_sessions,
    coalesce((SELECT max(s.last_seen_at) FROM auth.sessions s WHERE s.account_id = a.id), to_timestamp(0))::timestamptz AS last_seen_at
FROM auth.accounts a WHERE a.id = sqlc.arg(id);

-- name: SearchAccountIDsByEmail :many
-- The addresses that begin so, as a range of the index: LIKE would need a plan of its own for each prefix. What matches is found first: else the planner
-- may walk all accounts by id.
WITH found AS MATERIALIZED (
    SELECT id FROM auth.accounts WHERE email ~>=~ sqlc.arg(prefix)::text AND email ~<~ (sqlc.arg(prefix)::text || chr(1114111))
)
SELECT id FROM found WHERE id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page_size);

-- name: SearchAccountIDsByName :many
-- As by address. Dots and the like part words, as they do in what is asked for.
WITH found AS MATERIALIZED (
    SELECT id FROM auth.accounts WHERE to_tsvector('simple', translate(display_name, './@_-', '     ')) @@ to_tsquery('simple', sqlc.arg(words)::text)
)
SELECT id FROM found WHERE id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page_size);

-- name: ListAccountDetails :many
SELECT sqlc.embed(a), ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = a.id ORDER BY r.role)::text[] AS roles,
    (EXISTS (SELECT FROM auth.totps t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL) OR EXISTS (SELECT FROM auth.passkeys p WHERE p.account_id = a.id))::boolean AS second_factor,
    (SELECT count(*) FROM auth.sessions s WHERE s.account_id = a.id AND s.ended_at IS NULL AND s.expires_at > sqlc.arg(now)::timestamptz) AS live_sessions,
    coalesce((SELECT max(s.last_seen_at) FROM auth.sessions s WHERE s.account_id = a.id), to_timestamp(0))::timestamptz AS last_seen_at
FROM auth.accounts a WHERE a.id = ANY(sqlc.arg(ids)::uuid[]) ORDER BY a.id DESC;
