package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/mindspace-app/mindspace/platform/identity"
)

// Redact returns a handler that passes records on to next without what must not be logged, and with where they belong:
//   - the value of an attribute, or of a whole group, whose key names a credential, a body or personal data is replaced;
//   - the message and every string and error go through [Mask];
//   - structs, maps and slices are rendered as JSON and go through both;
//   - request_id, trace_id and span_id of the context are added at the top level.
func Redact(next slog.Handler) slog.Handler {
	return &redactor{next: next, classifier: newClassifier()}
}

// redactor keeps open groups to itself, so that the request and trace ids stay at the top level.
type redactor struct {
	next       slog.Handler
	classifier classifier
	groups     []openGroup
}

// openGroup is a group that later attributes belong to, with those that it has already, redacted.
type openGroup struct {
	name   string
	sealed bool // everything inside is left out
	attrs  []slog.Attr
}

// Enabled implements slog.Handler.
func (h *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	message := Mask(r.Message)
	if len(h.groups) > 0 || message != r.Message || h.needsRedaction(r) {
		clean := slog.NewRecord(r.Time, r.Level, message, r.PC)
		clean.AddAttrs(h.redactRecord(r)...)
		r = clean
	}
	var origin [3]slog.Attr
	if attrs := appendOrigin(origin[:0], ctx); len(attrs) > 0 {
		r = r.Clone()
		r.AddAttrs(attrs...)
	}
	return h.next.Handle(ctx, r)
}

// appendOrigin adds where the work comes from: the request, and the span when there is one.
func appendOrigin(attrs []slog.Attr, ctx context.Context) []slog.Attr { //nolint:revive // the slice leads, as in append
	if id := identity.RequestFrom(ctx).ID; id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return attrs
}

func (h *redactor) needsRedaction(r slog.Record) bool {
	needed := false
	r.Attrs(func(a slog.Attr) bool {
		needed = !h.clean(a)
		return !needed
	})
	return needed
}

// clean tells whether the attribute may be passed on as it is. It is what most attributes are, so it must be cheap.
func (h *redactor) clean(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindString:
		return !h.classifier.sensitiveKey(a.Key, false) && Mask(a.Value.String()) == a.Value.String()
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindUint64, slog.KindTime:
		return !h.classifier.sensitiveKey(a.Key, true)
	default:
		return false
	}
}

// redactRecord gives the record's attributes, redacted and inside the open groups.
func (h *redactor) redactRecord(r slog.Record) []slog.Attr {
	sealed := h.sealed()
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, h.redact(a, sealed))
		return true
	})
	for _, g := range slices.Backward(h.groups) {
		attrs = []slog.Attr{{Key: g.name, Value: slog.GroupValue(append(slices.Clip(g.attrs), attrs...)...)}}
	}
	return attrs
}

func (h *redactor) redact(a slog.Attr, sealed bool) slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		return h.redactGroup(a.Key, v.Group(), sealed)
	}
	a.Value = v
	if sealed || h.classifier.sensitiveKey(a.Key, isNumber(v.Kind())) {
		return slog.String(a.Key, masked)
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Mask(v.String()))
	case slog.KindAny:
		return h.redactAny(a.Key, v.Any())
	default:
		return a
	}
}

func isNumber(k slog.Kind) bool {
	switch k {
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindUint64, slog.KindTime:
		return true
	default:
		return false
	}
}

// redactGroup redacts the members; a group with a sensitive name becomes one redacted value.
func (h *redactor) redactGroup(key string, members []slog.Attr, sealed bool) slog.Attr {
	if key != "" && h.classifier.sensitiveKey(key, false) {
		return slog.String(key, masked)
	}
	clean := make([]slog.Attr, 0, len(members))
	for _, m := range members {
		clean = append(clean, h.redact(m, sealed))
	}
	return slog.Attr{Key: key, Value: slog.GroupValue(clean...)}
}

// redactAny renders what is neither a plain value nor a group. What cannot be rendered is told by its type alone.
// A struct's own String method is not asked, since a generated message prints all of its fields with it.
func (h *redactor) redactAny(key string, value any) (clean slog.Attr) {
	defer func() {
		if recover() != nil { // a nil pointer behind an Error, String or MarshalJSON method
			clean = slog.String(key, fmt.Sprintf("[%T]", value))
		}
	}()
	switch v := value.(type) {
	case nil:
		return slog.Any(key, nil)
	case error:
		return slog.String(key, Mask(v.Error()))
	case []byte:
		return slog.String(key, fmt.Sprintf("[%d bytes]", len(v)))
	case fmt.Stringer:
		if isScalar(reflect.TypeOf(value).Kind()) {
			return slog.String(key, Mask(v.String()))
		}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return slog.String(key, fmt.Sprintf("[%T]", value))
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		return slog.String(key, fmt.Sprintf("[%T]", value))
	}
	return slog.Any(key, h.redactJSON(plain))
}

func isScalar(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 || k == reflect.String
}

func (h *redactor) redactJSON(value any) any {
	switch v := value.(type) {
	case string:
		return Mask(v)
	case []any:
		for i := range v {
			v[i] = h.redactJSON(v[i])
		}
	case map[string]any:
		for name, inner := range v {
			_, text := inner.(string)
			if h.classifier.sensitiveKey(name, !text) {
				v[name] = masked
			} else {
				v[name] = h.redactJSON(inner)
			}
		}
	}
	return value
}

// sealed tells whether a group with a sensitive name is open.
func (h *redactor) sealed() bool { return len(h.groups) > 0 && h.groups[len(h.groups)-1].sealed }

// WithAttrs implements slog.Handler.
func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	sealed := h.sealed()
	clean := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		clean = append(clean, h.redact(a, sealed))
	}
	c := *h
	if len(h.groups) == 0 {
		c.next = h.next.WithAttrs(clean)
		return &c
	}
	c.groups = slices.Clone(h.groups)
	last := &c.groups[len(c.groups)-1]
	last.attrs = append(slices.Clip(last.attrs), clean...)
	return &c
}

// WithGroup implements slog.Handler.
func (h *redactor) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.groups = append(slices.Clip(h.groups), openGroup{
		name:   name,
		sealed: h.sealed() || h.classifier.sensitiveKey(name, false),
	})
	return &c
}

// AtLeast returns a handler that passes on to next what has this level or a higher one, for libraries that are talkative.
func AtLeast(level slog.Level, next slog.Handler) slog.Handler {
	return &levelFilter{Handler: next, least: level}
}

type levelFilter struct {
	slog.Handler
	least slog.Level
}

// Enabled implements slog.Handler.
func (f *levelFilter) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= f.least && f.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (f *levelFilter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return AtLeast(f.least, f.Handler.WithAttrs(attrs))
}

// WithGroup implements slog.Handler.
func (f *levelFilter) WithGroup(name string) slog.Handler {
	return AtLeast(f.least, f.Handler.WithGroup(name))
}
