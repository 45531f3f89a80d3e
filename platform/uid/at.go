package uid

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// At is an id as [New] would have made it at that time, of random bits that the caller gives: made-up data is the same each time it is made.
func At(t time.Time, high, low uint64) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16|high&0xfff)
	binary.BigEndian.PutUint64(id[8:], low)
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
