-- name: ListTakenEmails :many
-- Those of the addresses that have accounts.
SELECT email FROM auth.accounts WHERE email = ANY(sqlc.arg(emails)::text[]);
