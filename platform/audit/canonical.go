package audit

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
)

// canonicalVersion begins the canonical bytes of a record. Another field or order needs another version.
const canonicalVersion = "mindspace.audit.record.v1"

// hashSize is the length of a hash in the chain, in bytes.
const hashSize = sha256.Size

// chainHash gives the hash of a record that follows a link with the hash previous: SHA-256 of previous and the record's
// canonical bytes. Before the first link come 32 zero bytes.
func chainHash(previous []byte, r auditdb.AuditRecord) []byte {
	h := sha256.New()
	h.Write(previous)
	h.Write(canonical(r))
	return h.Sum(nil)
}

// canonical gives the bytes that a record's hash covers: every column as it is stored, encrypted values included, so
// that erasing a person does not break the chain. A field is its length in 8 bytes, big endian, and its bytes; one that
// may be null has a byte before it, 1 when there is a value and 0, with nothing after it, when not. In this order:
//
//	canonicalVersion
//	id (16 bytes), recorded_at (microseconds since 1970, 8 bytes, big endian)
//	actor_kind, actor_id, number of actor_roles (8 bytes, big endian), each of actor_roles
//	action, subject_type, subject_id
//	person_id or null (16 bytes), key_id or null (16 bytes)
//	before or null, after or null
//	request_id, address_prefix or null (as text, for example 192.0.2.0/24)
func canonical(r auditdb.AuditRecord) []byte {
	b := make(canon, 0, 512+len(r.Before)+len(r.After))
	b.text(canonicalVersion)
	b.bytes(r.ID[:])
	b.number(r.RecordedAt.UnixMicro())
	b.text(r.ActorKind)
	b.text(r.ActorID)
	b.number(int64(len(r.ActorRoles)))
	for _, role := range r.ActorRoles {
		b.text(role)
	}
	b.text(r.Action)
	b.text(r.SubjectType)
	b.text(r.SubjectID)
	if b.present(r.PersonID != nil) {
		b.bytes(r.PersonID[:])
	}
	if b.present(r.KeyID != nil) {
		b.bytes(r.KeyID[:])
	}
	if b.present(r.Before != nil) {
		b.bytes(r.Before)
	}
	if b.present(r.After != nil) {
		b.bytes(r.After)
	}
	b.text(r.RequestID)
	if b.present(r.AddressPrefix != nil) {
		b.text(r.AddressPrefix.String())
	}
	return b
}

// canon collects canonical bytes.
type canon []byte

func (c *canon) bytes(b []byte) {
	*c = binary.BigEndian.AppendUint64(*c, uint64(len(b)))
	*c = append(*c, b...)
}

func (c *canon) text(s string) {
	*c = binary.BigEndian.AppendUint64(*c, uint64(len(s)))
	*c = append(*c, s...)
}

func (c *canon) number(n int64) {
	*c = binary.BigEndian.AppendUint64(*c, 8)
	*c = binary.BigEndian.AppendUint64(*c, uint64(n)) //nolint:gosec // the two's complement is what is meant
}

func (c *canon) present(is bool) bool {
	if is {
		*c = append(*c, 1)
	} else {
		*c = append(*c, 0)
	}
	return is
}
