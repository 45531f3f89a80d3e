package rpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// codecs are the encodings that every port of ours speaks: protobuf, and JSON that is strict where a health profile is inside.
func codecs(encodings *Encodings) []connect.Codec {
	return []connect.Codec{connectproto.NewBinaryCodec(), newJSONCodec(encodings)}
}

// jsonCodec is Connect's JSON codec, with three changes: unknown fields are refused in messages that carry a health profile,
// what does not parse is a fault that says so in plain words, and the JSON of messages that are sent again is kept.
type jsonCodec struct {
	*connectproto.JSONCodec
	encodings *Encodings
	strict    protojson.UnmarshalOptions
	marked    sync.Map // full name of a message → whether it carries a profile
	// buffers hold bodies while they are parsed; what is parsed out of them is copied.
	buffers sync.Pool
}

var _ connect.StableCodec = (*jsonCodec)(nil)

func newJSONCodec(encodings *Encodings) *jsonCodec {
	c := &jsonCodec{JSONCodec: connectproto.NewJSONCodec(), encodings: encodings}
	c.buffers.New = func() any { return new(bytes.Buffer) }
	return c
}

// MarshalWrite writes one message.
func (c *jsonCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if m, ok := msg.(proto.Message); ok {
		if json, kept, err := c.encodings.get(m, c.MarshalOptions.Marshal); kept {
			if err != nil {
				return err
			}
			_, err = dst.Write(json)
			return err
		}
	}
	return c.JSONCodec.MarshalWrite(ctx, dst, msg)
}

// release takes a buffer back, wiped of what a health profile may have left, unless it has grown large.
func (c *jsonCodec) release(body *bytes.Buffer) {
	const keep = 64 << 10
	if body.Cap() > keep {
		return
	}
	clear(body.Bytes())
	body.Reset()
	c.buffers.Put(body)
}

// UnmarshalRead reads one message. The reader has a size limit already.
func (c *jsonCodec) UnmarshalRead(_ context.Context, src io.Reader, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("rpc: %T is not a protobuf message", msg)
	}
	body, _ := c.buffers.Get().(*bytes.Buffer)
	defer c.release(body)
	if _, err := body.ReadFrom(src); err != nil {
		return err
	}
	if body.Len() == 0 {
		return fault.Invalid("the body is empty: send a JSON object, {} at least").WithReason("BODY_MALFORMED")
	}
	if body.String() == "{}" {
		proto.Reset(m) // as most requests of one's own data are
		return nil
	}
	options := c.UnmarshalOptions
	if c.carriesProfile(m.ProtoReflect().Descriptor()) {
		options = c.strict
	}
	if err := options.Unmarshal(body.Bytes(), m); err != nil {
		return jsonFault(err)
	}
	return nil
}

// carriesProfile tells whether the message, or one that it contains at any depth, is marked as holding a health profile.
func (c *jsonCodec) carriesProfile(d protoreflect.MessageDescriptor) bool {
	if known, ok := c.marked.Load(d.FullName()); ok {
		return known.(bool)
	}
	marked := containsProfile(d, map[protoreflect.FullName]bool{})
	c.marked.Store(d.FullName(), marked)
	return marked
}

func containsProfile(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	if options, ok := d.Options().(*descriptorpb.MessageOptions); ok && options != nil {
		if marked, _ := proto.GetExtension(options, policyv1.E_CarriesProfile).(bool); marked {
			return true
		}
	}
	for i := range d.Fields().Len() {
		if inner := d.Fields().Get(i).Message(); inner != nil && containsProfile(inner, seen) {
			return true
		}
	}
	return false
}

// maxEcho bounds how much of a parser's message, which may quote the body, goes back to the sender.
const maxEcho = 200

// jsonFault says why a body does not parse. The text goes to its sender only and is never logged.
func jsonFault(err error) error {
	// protojson begins its messages with "proto:" and a space that is at random a no-break one, so that nobody parses them.
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	text = strings.ReplaceAll(text, "\u00a0", " ")
	if name, found := unknownField(text); found {
		return fault.Invalid("unknown field %q", name).WithField(name, "there is no such field").WithReason("FIELD_UNKNOWN")
	}
	return fault.Invalid("the body is not the JSON that this call takes: %s", truncate(text, maxEcho)).WithReason("BODY_MALFORMED")
}

// unknownField finds the name in: (line 1:2): unknown field "name".
func unknownField(text string) (string, bool) {
	_, rest, found := strings.Cut(text, `unknown field "`)
	if !found {
		return "", false
	}
	name, _, found := strings.Cut(rest, `"`)
	return truncate(name, maxEcho), found
}

// truncate cuts to at most n bytes of whole characters.
func truncate(text string, n int) string {
	if len(text) <= n {
		return strings.ToValidUTF8(text, "\ufffd")
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.ToValidUTF8(text[:n], "\ufffd") + "…"
}
