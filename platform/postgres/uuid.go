package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerUUIDs lets ids travel as the sixteen bytes that they are. pgx alone would write each as text and parse that, which was a third of what
// recording a session allocates.
func registerUUIDs(m *pgtype.Map) {
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	m.RegisterType(one)
	m.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: uuidArrayCodec{ArrayCodec: &pgtype.ArrayCodec{ElementType: one}}})
	// Without a description of the statement, as in a pooler's exec mode, pgx cannot tell what a list of ids is.
	m.RegisterDefaultPgType([]uuid.UUID(nil), "_uuid")
}

// uuidCodec is pgx's, but for our type in binary.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode writes a uuid.UUID.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ours := value.(uuid.UUID); ours && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan reads into a *uuid.UUID.
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ours := target.(*uuid.UUID); ours {
		return scanUUID{text: format == pgtype.TextFormatCode}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

// Encode appends the bytes.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id := value.(uuid.UUID)
	return append(buf, id[:]...), nil
}

type scanUUID struct{ text bool }

// Scan copies the bytes, or parses the text. Null is refused, as it is no id.
func (p scanUUID) Scan(src []byte, target any) (err error) {
	if p.text && src != nil {
		*target.(*uuid.UUID), err = uuid.ParseBytes(src)
		return err
	}
	if len(src) != len(uuid.UUID{}) {
		return fmt.Errorf("postgres: %d bytes are no uuid", len(src))
	}
	copy(target.(*uuid.UUID)[:], src)
	return nil
}

// uuidArrayCodec is pgx's, but for writing our type in binary.
type uuidArrayCodec struct{ *pgtype.ArrayCodec }

// PlanEncode writes a []uuid.UUID.
func (c uuidArrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ours := value.([]uuid.UUID); ours && format == pgtype.BinaryFormatCode {
		return encodeUUIDs{}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

type encodeUUIDs struct{}

// Encode appends an array of one dimension, or none when it is empty: dimensions, whether there are nulls, the type, then length and lower bound of
// each dimension, and each element after its length.
func (encodeUUIDs) Encode(value any, buf []byte) ([]byte, error) {
	ids := value.([]uuid.UUID)
	if ids == nil {
		return nil, nil
	}
	dimensions := uint32(1)
	if len(ids) == 0 {
		dimensions = 0
	}
	for _, word := range []uint32{dimensions, 0, pgtype.UUIDOID} {
		buf = binary.BigEndian.AppendUint32(buf, word)
	}
	if len(ids) == 0 {
		return buf, nil
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(ids))) //nolint:gosec // far fewer than two billion
	buf = binary.BigEndian.AppendUint32(buf, 1)
	for _, id := range ids {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(id)))
		buf = append(buf, id[:]...)
	}
	return buf, nil
}
