-- +goose Up
-- When the account and everything about its person is erased, unless they sign in before; and by which row of auth.erasures.
ALTER TABLE auth.accounts ADD COLUMN erase_after timestamptz, ADD COLUMN erasure_id uuid,
    ADD CONSTRAINT accounts_erasure CHECK ((erase_after IS NULL) = (erasure_id IS NULL));

-- Erasures, and the receipts that stay of them.
CREATE TABLE auth.erasures (
    -- Random, not by time: whoever knows it may read the receipt.
    id            uuid        NOT NULL PRIMARY KEY,
    -- Who is erased; null once that is complete, or called off long ago.
    account_id    uuid,
    requested_at  timestamptz NOT NULL,
    -- Support has started it.
    by_staff      boolean     NOT NULL,
    erase_after   timestamptz NOT NULL,
    cancelled_at  timestamptz,
    erased_at     timestamptz,
    -- When what requests under way had written meanwhile was swept up.
    completed_at  timestamptz,
    -- What was touched: [{"kind", "name", "action", "count", "reason"}].
    items         jsonb       NOT NULL DEFAULT '[]',
    backups_until timestamptz,
    CONSTRAINT erasures_order CHECK (completed_at IS NULL OR erased_at IS NOT NULL),
    CONSTRAINT erasures_one_end CHECK (cancelled_at IS NULL OR erased_at IS NULL),
    CONSTRAINT erasures_forgotten CHECK (completed_at IS NULL OR account_id IS NULL)
);
COMMENT ON COLUMN auth.erasures.account_id IS 'person';
CREATE INDEX erasures_account_id ON auth.erasures (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX erasures_unswept ON auth.erasures (erased_at) WHERE erased_at IS NOT NULL AND completed_at IS NULL;
CREATE INDEX erasures_cancelled_at ON auth.erasures (cancelled_at) WHERE cancelled_at IS NOT NULL;

-- +goose Down
DROP TABLE auth.erasures;
ALTER TABLE auth.accounts DROP CONSTRAINT accounts_erasure, DROP COLUMN erasure_id, DROP COLUMN erase_after;
