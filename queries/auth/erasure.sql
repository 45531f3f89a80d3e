-- name: InsertErasure :exec
INSERT INTO auth.erasures (id, account_id, requested_at, by_staff, erase_after)
VALUES (sqlc.arg(id), sqlc.arg(account_id), sqlc.arg(requested_at), sqlc.arg(by_staff), sqlc.arg(erase_after));

-- name: ScheduleErasure :exec
-- The account is locked.
UPDATE auth.accounts SET erase_after = sqlc.arg(erase_after)::timestamptz, erasure_id = sqlc.arg(erasure_id)::uuid WHERE id = sqlc.arg(id);

-- name: UnscheduleErasure :one
-- Gives what was called off; no row when nothing was.
WITH was AS (SELECT id, erasure_id FROM auth.accounts WHERE accounts.id = sqlc.arg(id) AND erasure_id IS NOT NULL),
     cleared AS (UPDATE auth.accounts a SET erase_after = NULL, erasure_id = NULL FROM was WHERE a.id = was.id)
UPDATE auth.erasures e SET cancelled_at = sqlc.arg(now)::timestamptz FROM was WHERE e.id = was.erasure_id
RETURNING e.id;

-- name: PostponeErasure :execrows
-- Gives a person who could not sign in the whole time to think again; nothing where no erasure waits. The account is locked.
WITH later AS (UPDATE auth.accounts a SET erase_after = sqlc.arg(erase_after)::timestamptz WHERE a.id = sqlc.arg(id) AND a.erasure_id IS NOT NULL RETURNING a.erasure_id)
UPDATE auth.erasures e SET erase_after = sqlc.arg(erase_after)::timestamptz FROM later WHERE e.id = later.erasure_id;

-- name: GetErasure :one
SELECT * FROM auth.erasures WHERE id = sqlc.arg(id);

-- name: ListDueErasures :many
-- The longest due first, after a place: those that cannot be erased just now stand in nobody's way. A suspended person cannot sign in to call it off:
-- theirs waits.
SELECT id, erasure_id::uuid AS erasure_id, erase_after::timestamptz AS erase_after FROM auth.accounts
WHERE erase_after <= sqlc.arg(now)::timestamptz AND state = 'active' AND (erase_after, id) > (sqlc.arg(after)::timestamptz, sqlc.arg(after_id)::uuid)
ORDER BY erase_after, id LIMIT sqlc.arg(batch);

-- name: LockDueErasure :one
-- Nobody signs in to the account until the end of the transaction; no row when it was called off meanwhile, or another process is at it.
SELECT * FROM auth.accounts WHERE id = sqlc.arg(id) AND erasure_id = sqlc.arg(erasure_id)::uuid AND erase_after <= sqlc.arg(now)::timestamptz AND state = 'active'
FOR UPDATE SKIP LOCKED;

-- name: RecordErasure :exec
UPDATE auth.erasures SET erased_at = sqlc.arg(erased_at)::timestamptz, items = sqlc.arg(items), backups_until = sqlc.arg(backups_until)::timestamptz
WHERE id = sqlc.arg(id);

-- name: AddErasureItems :exec
-- What was found after the commit.
UPDATE auth.erasures SET items = items || sqlc.arg(items)::jsonb WHERE id = sqlc.arg(id) AND completed_at IS NULL;

-- name: ListUnsweptErasures :many
-- The oldest first, after a place.
SELECT id, account_id::uuid AS account_id, erased_at::timestamptz AS erased_at FROM auth.erasures
WHERE erased_at <= sqlc.arg(until)::timestamptz AND completed_at IS NULL AND (erased_at, id) > (sqlc.arg(after)::timestamptz, sqlc.arg(after_id)::uuid)
ORDER BY erased_at, id LIMIT sqlc.arg(batch);

-- name: LockUnsweptErasure :one
-- No row when it is complete, or another process is at it.
SELECT items FROM auth.erasures WHERE id = sqlc.arg(id) AND erased_at IS NOT NULL AND completed_at IS NULL FOR UPDATE SKIP LOCKED;

-- name: CompleteErasure :exec
UPDATE auth.erasures SET completed_at = sqlc.arg(completed_at)::timestamptz, items = sqlc.arg(items), account_id = NULL WHERE id = sqlc.arg(id);

-- name: ForgetErasures :exec
-- Also those that the person had called off earlier name them no more.
UPDATE auth.erasures SET account_id = NULL WHERE account_id = sqlc.arg(account_id)::uuid;
