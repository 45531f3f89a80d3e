package uid_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/uid"
)

func TestIDsOfATime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 8, 0, 0, 123_000_000, time.UTC)
	for _, bits := range []uint64{0, 1, math.MaxUint64} {
		id := uid.At(at, bits, bits)
		seconds, nanos := id.Time().UnixTime()
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || !time.Unix(seconds, nanos).Equal(at) {
			t.Errorf("%s of %x: version %d, %v, of %v", id, bits, id.Version(), id.Variant(), time.Unix(seconds, nanos).UTC())
		}
	}
	if first, second := uid.At(at, math.MaxUint64, 0), uid.At(at.Add(time.Millisecond), 0, 0); first.String() >= second.String() {
		t.Errorf("%s does not come before %s", first, second)
	}
}
