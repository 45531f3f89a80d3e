package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// logged gives what a redacting logger writes, parsed, without the time.
func logged(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(telemetry.Redact(slog.NewJSONHandler(&out, nil))))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("log line %q: %v", out.String(), err)
	}
	delete(line, slog.TimeKey)
	return line
}

func TestSensitiveKeysAreRedacted(t *testing.T) {
	t.Parallel()
	for key, redacted := range map[string]bool{
		"password": true, "Password": true, "new_password": true, "passwordHash": true, "PASSWORD": true,
		"token": true, "access_token": true, "refreshToken": true, "token2": true, "refresh": true,
		"secret": true, "client-secret": true, "authorization": true, "Set-Cookie": true, "cookie": true,
		"email": true, "e-mail": true, "userEmail": true, "EMailAddress": true, "mail": true,
		"key": true, "api_key": true, "apiKey": true, "api_keys": true, "HTTPBody": true, "body": true, "request.body": true,
		"profile": true, "health_profile": true, "conditions": true, "medications": true, "weight": true, "allergens": true,
		"key_id": false, "keyboard": false, "monkey": false, "tokenizer": false, "somebody": false, "user_id": false,
		"method": false, "path": false, "constraint": false, "unconditional": false, "": false, "123": false,
	} {
		line := logged(t, func(l *slog.Logger) { l.Info("m", key, "value") })
		want := "value"
		if redacted {
			want = "[redacted]"
		}
		if line[key] != want {
			t.Errorf("%q: logged %v, want %v", key, line[key], want)
		}
	}
}

func TestNumbersUnderSensitiveKeys(t *testing.T) {
	t.Parallel()
	line := logged(t, func(l *slog.Logger) {
		l.Info("m", "weight", 82.5, "pregnant", true, "body_bytes", 4096, "token_count", 3, "body_size", "ana is pregnant")
	})
	for key, want := range map[string]any{
		"weight": "[redacted]", "pregnant": "[redacted]", "body_bytes": 4096.0, "token_count": 3.0, "body_size": "[redacted]",
	} {
		if line[key] != want {
			t.Errorf("%q: logged %v, want %v", key, line[key], want)
		}
	}
}

type credentials struct {
	Login    string
	Password string
	Tags     []string       `json:"tags"`
	More     map[string]any `json:"more"`
}

// talkative prints everything when asked for text, as generated messages do.
type talkative struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

func (t *talkative) String() string { return "name:" + t.Name + " token:" + t.Token }

type lazy struct{ value slog.Value }

func (l lazy) LogValue() slog.Value { return l.value }

type explosive struct{}

func (*explosive) Error() string { panic("asked a nil pointer") }

func TestNothingSensitiveGetsOut(t *testing.T) {
	t.Parallel()
	const planted = "hunter2"
	for name, log := range map[string]func(*slog.Logger){
		"in the message":        func(l *slog.Logger) { l.Info("Bearer hunter2") },
		"in a string":           func(l *slog.Logger) { l.Info("m", "detail", "hunter2@demo.test") },
		"in an error":           func(l *slog.Logger) { l.Info("m", "error", fmt.Errorf("x: %w", errors.New("hunter2@demo.test"))) },
		"in a group":            func(l *slog.Logger) { l.Info("m", slog.Group("user", slog.String("password", planted))) },
		"in a deep group":       func(l *slog.Logger) { l.Info("m", slog.Group("a", slog.Group("b", slog.Any("token", planted)))) },
		"in a sensitive group":  func(l *slog.Logger) { l.Info("m", slog.Group("profile", slog.String("note", planted))) },
		"under WithGroup":       func(l *slog.Logger) { l.WithGroup("a").Info("m", "secret", planted) },
		"under sensitive group": func(l *slog.Logger) { l.WithGroup("profile").WithGroup("x").Info("m", "note", planted) },
		"bound to that group":   func(l *slog.Logger) { l.WithGroup("profile").With("note", planted).Info("m") },
		"bound":                 func(l *slog.Logger) { l.With("cookie", planted).Info("m") },
		"bound in a group":      func(l *slog.Logger) { l.WithGroup("a").With("cookie", planted).Info("m") },
		"in a struct":           func(l *slog.Logger) { l.Info("m", "request", credentials{Password: planted}) },
		"in a pointer":          func(l *slog.Logger) { l.Info("m", "request", &credentials{Tags: []string{"hunter2@demo.test"}}) },
		"deep in a map": func(l *slog.Logger) {
			l.Info("m", "request", credentials{More: map[string]any{"list": []any{map[string]any{"api_key": planted}}}})
		},
		"in a map under the key": func(l *slog.Logger) { l.Info("m", "request", map[string]any{"body": map[string]int{planted: 1}}) },
		"in bytes":               func(l *slog.Logger) { l.Info("m", "raw", []byte(planted)) },
		"in a String method":     func(l *slog.Logger) { l.Info("m", "request", &talkative{Name: "x", Token: planted}) },
		"in a LogValuer":         func(l *slog.Logger) { l.Info("m", "who", lazy{slog.GroupValue(slog.String("password", planted))}) },
		"in a lazy secret":       func(l *slog.Logger) { l.Info("m", "password", lazy{slog.StringValue(planted)}) },
	} {
		for _, format := range []string{telemetry.FormatJSON, telemetry.FormatText} {
			var out bytes.Buffer
			logger, _, err := telemetry.NewLogger(telemetry.LogConfig{Output: &out, Format: format})
			if err != nil {
				t.Fatal(err)
			}
			log(logger)
			if out.Len() == 0 || strings.Contains(out.String(), planted) {
				t.Errorf("%s, %s: logged %s", name, format, out.String())
			}
		}
	}
}

func TestHarmlessThingsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	line := logged(t, func(l *slog.Logger) {
		l.With("room", "telemetry").WithGroup("g").With("a", 1).Info("ready",
			"list", []string{"x"}, "code", connect.CodeNotFound, "error", errors.New("no such row"), "nothing", nil, slog.Group("in", "n", 2))
	})
	encoded, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"g":{"a":1,"code":"not_found","error":"no such row","in":{"n":2},"list":["x"],"nothing":null},"level":"INFO","msg":"ready","room":"telemetry"}`
	if string(encoded) != want {
		t.Errorf("logged %s, want %s", encoded, want)
	}
}

func TestAValueThatPanicsDoesNotBreakTheLog(t *testing.T) {
	t.Parallel()
	var nobody *explosive
	line := logged(t, func(l *slog.Logger) { l.Info("m", "error", nobody, "f", func() {}) })
	if line["error"] != "[*telemetry_test.explosive]" || line["f"] != "[func()]" {
		t.Errorf("logged %v, want the types", line)
	}
}

func TestWhereTheWorkComesFromIsAdded(t *testing.T) {
	t.Parallel()
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(identity.WithRequest(t.Context(), identity.Request{ID: "r-1"}), span)
	line := logged(t, func(l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "m", "a", 1) })
	for key, want := range map[string]any{
		"request_id": "r-1", "trace_id": span.TraceID().String(), "span_id": span.SpanID().String(),
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v at the top level of %v", key, line[key], want, line)
		}
	}
	if line := logged(t, func(l *slog.Logger) { l.Info("m") }); len(line) != 2 {
		t.Errorf("outside of a request and a span, logged %v", line)
	}
}

func TestDerivedLoggersDoNotShareAttributes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	parent := slog.New(telemetry.Redact(slog.NewTextHandler(&out, nil))).WithGroup("g").With("a", 1)
	one, two := parent.With("b", 1), parent.With("c", 2)
	one.Info("one")
	two.Info("two")
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "g.b=1") == strings.Contains(line, "g.c=2") {
			t.Errorf("line has attributes of the other logger: %s", line)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	for _, bench := range []struct {
		name    string
		request identity.Request
		handler func(slog.Handler) slog.Handler
	}{
		{"plain handler", identity.Request{}, func(h slog.Handler) slog.Handler { return h }},
		{"redacted", identity.Request{}, telemetry.Redact},
		{"redacted, in a request", identity.Request{ID: "01999999-0000-7000-8000-000000000000"}, telemetry.Redact},
	} {
		b.Run(bench.name, func(b *testing.B) {
			logger := slog.New(bench.handler(slog.NewJSONHandler(discard{}, nil)))
			ctx := identity.WithRequest(b.Context(), bench.request)
			b.ReportAllocs()
			for b.Loop() {
				logger.LogAttrs(ctx, slog.LevelInfo, "request answered", slog.String("method", "GET"),
					slog.String("path", "/mindspace.content.v1.ContentService/ListMeditations"), slog.Int("status", 200), slog.Int("bytes", 4096))
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
