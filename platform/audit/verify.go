package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
)

// verifyPage is how many links or records are looked at in one query.
const verifyPage = 500

// Damage is what is wrong where the chain breaks.
type Damage string

const (
	// DamageChanged means that the record, its place in the chain, or its seal is not what was sealed.
	DamageChanged Damage = "changed"
	// DamageRecordRemoved means that the record is gone.
	DamageRecordRemoved Damage = "record removed"
	// DamageLinkRemoved means that the record's place in the chain is gone.
	DamageLinkRemoved Damage = "link removed"
)

// Break is the first place where the chain does not hold.
type Break struct {
	// Seq is its sequence number. For a record that is missing at the end or before it was sealed, it is the one after the last.
	Seq int64
	// Record is the record there; uuid.Nil when it is not known any more.
	Record uuid.UUID
	Damage Damage
}

// Report says what [Verify] found.
type Report struct {
	// Sealed is how many links hold, from the first one on without a gap.
	Sealed int64
	// Unsealed is how many records wait for their seal; nothing is proven about those.
	Unsealed int64
	// Head is the hash of the last link that holds. See [Head] for what it is good for.
	Head []byte
	// Break is where the chain breaks; nil when it is whole.
	Break *Break
}

// Intact tells whether the chain is whole.
func (r Report) Intact() bool { return r.Break == nil }

// Verify computes the chain anew from its beginning and compares. It reads every record page by page, beside running
// writers and sealers, and holds no lock. The error is about the database only; damage is in the report.
func Verify(ctx context.Context, pool *pgxpool.Pool) (Report, error) {
	v := verifier{q: auditdb.New(pool), report: Report{Head: make([]byte, hashSize)}}
	for _, step := range []func(context.Context) error{v.links, v.records, v.marks} {
		if v.report.Break != nil {
			break
		}
		if err := step(ctx); err != nil {
			return Report{}, fmt.Errorf("audit: verify: %w", err)
		}
	}
	var err error
	if v.report.Unsealed, err = v.q.CountUnsealed(ctx); err != nil {
		return Report{}, fmt.Errorf("audit: verify: count unsealed records: %w", err)
	}
	return v.report, nil
}

type verifier struct {
	q      *auditdb.Queries
	report Report
}

// broken notes damage at the link after those that hold.
func (v *verifier) broken(record uuid.UUID, d Damage) {
	v.report.Break = &Break{Seq: v.report.Sealed + 1, Record: record, Damage: d}
}

// links follows the chain up to where it ended when the step began.
func (v *verifier) links(ctx context.Context) error {
	until, _, err := head(ctx, v.q)
	if err != nil {
		return err
	}
	for v.report.Break == nil && v.report.Sealed < until {
		links, err := v.q.ListLinks(ctx, auditdb.ListLinksParams{AfterSeq: v.report.Sealed, UntilSeq: until, PageSize: verifyPage})
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		if len(links) == 0 {
			v.broken(uuid.Nil, DamageLinkRemoved)
			return nil
		}
		if err := v.page(ctx, links); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) page(ctx context.Context, links []auditdb.ListLinksRow) error {
	rows, err := v.q.ListLinkedRecords(ctx, auditdb.ListLinkedRecordsParams{
		AfterSeq: v.report.Sealed, UntilSeq: links[len(links)-1].Seq, PageSize: verifyPage,
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	records := make(map[uuid.UUID]auditdb.AuditRecord, len(rows))
	for _, r := range rows {
		records[r.ID] = r
	}
	for _, link := range links {
		record, found := records[link.RecordID]
		switch {
		case link.Seq != v.report.Sealed+1:
			v.broken(uuid.Nil, DamageLinkRemoved)
		case !found:
			v.broken(link.RecordID, DamageRecordRemoved)
		case !bytes.Equal(link.Hash, chainHash(v.report.Head, record)):
			v.broken(link.RecordID, DamageChanged)
		default:
			v.report.Sealed, v.report.Head = link.Seq, link.Hash
			continue
		}
		return nil
	}
	return nil
}

// records looks for records that are neither in the chain nor waiting for it: their link was cut off its end, or they
// were put in by someone else.
func (v *verifier) records(ctx context.Context) error {
	after := uuid.Nil
	for {
		states, err := v.q.ListRecordStates(ctx, auditdb.ListRecordStatesParams{AfterID: after, PageSize: verifyPage})
		if err != nil {
			return fmt.Errorf("list states of records: %w", err)
		}
		for _, s := range states {
			if !s.Sealed && !s.Unsealed {
				v.broken(s.ID, DamageLinkRemoved)
				return nil
			}
			after = s.ID
		}
		if len(states) < verifyPage {
			return nil
		}
	}
}

// marks looks for records that were removed before they were sealed.
func (v *verifier) marks(ctx context.Context) error {
	id, err := v.q.FindMarkWithoutRecord(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for removed records: %w", err)
	}
	v.broken(id, DamageRecordRemoved)
	return nil
}
