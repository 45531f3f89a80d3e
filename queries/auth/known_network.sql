-- name: IsKnownNetwork :one
SELECT EXISTS (SELECT FROM auth.known_networks k JOIN auth.accounts a ON a.id = k.account_id
    WHERE a.email = sqlc.arg(email) AND k.network = sqlc.arg(network));

-- name: KnowNetwork :one
-- Gives whether the network is new, and whether the account had others before.
WITH before AS (
    SELECT count(*) FILTER (WHERE k.network <> sqlc.arg(network)) AS others, count(*) FILTER (WHERE k.network = sqlc.arg(network)) AS same
    FROM auth.known_networks k WHERE k.account_id = sqlc.arg(account_id)
), known AS (
    INSERT INTO auth.known_networks (account_id, network, last_seen_at) VALUES (sqlc.arg(account_id), sqlc.arg(network), sqlc.arg(now))
    ON CONFLICT (account_id, network) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
    WHERE auth.known_networks.last_seen_at < EXCLUDED.last_seen_at - interval '1 day'
)
SELECT (before.others > 0 AND before.same = 0)::boolean AS unfamiliar FROM before;

-- name: TouchKnownNetwork :exec
-- The owner is still there. It makes no network known.
UPDATE auth.known_networks SET last_seen_at = sqlc.arg(now)::timestamptz
WHERE account_id = sqlc.arg(account_id) AND network = sqlc.arg(network) AND last_seen_at < sqlc.arg(now)::timestamptz - interval '1 day';
