package cache

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
)

// Codec turns values into bytes for Redis, and back. What it cannot read back counts as absent.
type Codec[V any] interface {
	Marshal(v V) ([]byte, error)
	Unmarshal(data []byte) (V, error)
}

// JSON encodes values as JSON. A field that one version of the program does not know is dropped, and one that the other did
// not write is zero: give the cache another name when that matters.
func JSON[V any]() Codec[V] { return jsonCodec[V]{} }

// Proto encodes protobuf messages; M is a pointer to a generated message type.
func Proto[M proto.Message]() Codec[M] { return protoCodec[M]{} }

type jsonCodec[V any] struct{}

// Marshal encodes as JSON.
func (jsonCodec[V]) Marshal(v V) ([]byte, error) { return json.Marshal(v) }

// Unmarshal decodes JSON.
func (jsonCodec[V]) Unmarshal(data []byte) (V, error) {
	var v V
	err := json.Unmarshal(data, &v)
	return v, err
}

type protoCodec[M proto.Message] struct{}

// Marshal encodes in protobuf's binary form.
func (protoCodec[M]) Marshal(m M) ([]byte, error) { return proto.Marshal(m) }

// Unmarshal decodes protobuf's binary form into a new message.
func (protoCodec[M]) Unmarshal(data []byte) (M, error) {
	var none M
	m := none.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(data, m); err != nil {
		return none, err
	}
	return m.(M), nil
}
