-- name: LockChain :exec
-- Lets one transaction at a time append to the chain, until its end.
SELECT pg_advisory_xact_lock(hashtextextended('mindspace.audit.chain', 0));

-- name: GetHead :one
SELECT seq, hash FROM audit.links ORDER BY seq DESC LIMIT 1;

-- name: ListUnsealed :many
-- The oldest records that are not in the chain yet, in the order of their ids, which is the order in which they were recorded.
SELECT r.* FROM audit.unsealed u JOIN audit.records r ON r.id = u.record_id
ORDER BY u.record_id
LIMIT @page_size;

-- name: InsertLinks :execrows
-- The ids come as text: where nothing is prepared, as behind PgBouncer, pgx knows no type for a list of uuids.
INSERT INTO audit.links (seq, record_id, hash)
SELECT unnest(@seqs::bigint[]), unnest(@record_ids::text[])::uuid, unnest(@hashes::bytea[]);

-- name: DeleteUnsealed :execrows
-- Takes the records of the links after a seq off the list.
DELETE FROM audit.unsealed u USING audit.links l
WHERE l.record_id = u.record_id AND l.seq > @after_seq;

-- name: ListLinks :many
SELECT seq, record_id, hash FROM audit.links
WHERE seq > @after_seq AND seq <= @until_seq
ORDER BY seq
LIMIT @page_size;

-- name: ListLinkedRecords :many
-- The records of a range of links, in their order; those that are gone are left out.
SELECT r.* FROM audit.links l JOIN audit.records r ON r.id = l.record_id
WHERE l.seq > @after_seq AND l.seq <= @until_seq
ORDER BY l.seq
LIMIT @page_size;

-- name: CountUnsealed :one
SELECT count(*) FROM audit.unsealed;

-- name: FindMarkWithoutRecord :one
SELECT u.record_id FROM audit.unsealed u
WHERE NOT EXISTS (SELECT FROM audit.records r WHERE r.id = u.record_id)
ORDER BY u.record_id
LIMIT 1;
