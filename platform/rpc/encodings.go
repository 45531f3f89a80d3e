package rpc

import (
	"time"

	"github.com/maypok86/otter/v2"
	"google.golang.org/protobuf/proto"
)

const (
	// encodingsBytes bounds what is kept, in bytes of JSON and what goes with it.
	encodingsBytes = 64 << 20
	// encodingOverhead is about what an entry takes beside its JSON: the message itself, most of all.
	encodingOverhead = 1 << 10
	// encodingIdle is after how long without a use an entry goes.
	encodingIdle = 2 * time.Minute
)

// Encodings keeps the JSON of messages that are answered again and again, as those from a cache are: encoding one costs more than finding it.
// A message is known by its address, and held for as long as its JSON is, so that no other one can come to stand there. It is safe for use by several goroutines.
type Encodings struct {
	kept *otter.Cache[proto.Message, []byte]
}

// NewEncodings keeps about 64 MB.
func NewEncodings() *Encodings {
	return &Encodings{kept: otter.Must(&otter.Options[proto.Message, []byte]{
		MaximumWeight:    encodingsBytes,
		Weigher:          func(_ proto.Message, json []byte) uint32 { return uint32(len(json)) + encodingOverhead }, //nolint:gosec // an answer, far below 4 GB
		ExpiryCalculator: otter.ExpiryAccessing[proto.Message, []byte](encodingIdle),
	})}
}

// Keep has the message's JSON kept from its first sending on. From now on nobody may change the message. A nil Encodings keeps nothing.
func (e *Encodings) Keep(m proto.Message) {
	if e != nil {
		e.kept.SetIfAbsent(m, nil)
	}
}

// get gives the JSON of a message that is kept; encode makes it the first time. kept is false for any other message.
func (e *Encodings) get(m proto.Message, encode func(proto.Message) ([]byte, error)) (json []byte, kept bool, err error) {
	if e == nil {
		return nil, false, nil
	}
	json, kept = e.kept.GetIfPresent(m)
	if !kept || json != nil {
		return json, kept, nil
	}
	if json, err = encode(m); err != nil {
		return nil, true, err
	}
	e.kept.Set(m, json)
	return json, true, nil
}
