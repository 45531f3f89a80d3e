-- name: ListStaff :many
SELECT a.id, a.email, a.display_name, ARRAY(SELECT r.role FROM auth.staff_roles r WHERE r.account_id = a.id ORDER BY r.role)::text[] AS roles,
    (EXISTS (SELECT FROM auth.totps t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL) OR EXISTS (SELECT FROM auth.passkeys p WHERE p.account_id = a.id))::boolean AS second_factor
FROM auth.accounts a
WHERE a.email > sqlc.arg(after_email) AND EXISTS (SELECT FROM auth.staff_roles r WHERE r.account_id = a.id)
ORDER BY a.email LIMIT sqlc.arg(page_size);

-- name: GrantRole :execrows
INSERT INTO auth.staff_roles (account_id, role, granted_by, granted_at) VALUES (sqlc.arg(account_id), sqlc.arg(role), sqlc.arg(granted_by), sqlc.arg(granted_at))
ON CONFLICT (account_id, role) DO NOTHING;

-- name: RevokeRole :execrows
DELETE FROM auth.staff_roles WHERE account_id = sqlc.arg(account_id) AND role = sqlc.arg(role);

-- name: LockAdmins :many
-- Who holds the role of administrator; removals take turns.
SELECT account_id FROM auth.staff_roles WHERE role = ANY(ARRAY['admin']) ORDER BY account_id FOR UPDATE;

-- name: CountOtherAdmins :one
-- Administrators beside one who can be counted on: they may sign in, and are not about to be erased. Removals have taken their turn by LockAdmins,
-- in a statement of its own, so that this one sees what the one before did.
SELECT count(*) FROM auth.staff_roles r JOIN auth.accounts a ON a.id = r.account_id
WHERE r.role = 'admin' AND r.account_id <> sqlc.arg(account_id) AND a.state = 'active' AND a.erase_after IS NULL;
