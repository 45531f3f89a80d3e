package rpc_test

import (
	"maps"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
)

const service = "/mindspace.probe.v1.ProbeService/"

func TestBadBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	tests := []struct {
		name, path, contentType string
		body                    string
		status                  int
		says                    []string
	}{
		{"unknown method", service + "Nothing", "application/json", `{}`, 501, []string{"unimplemented"}},
		{"hidden method is like an unknown one", service + "Service", "application/json", `{}`, 501, []string{"unimplemented"}},
		{"malformed JSON", service + "Public", "application/json", `{"text":`, 400, []string{"invalid_argument", "JSON"}},
		{"empty body", service + "Public", "application/json", ``, 400, []string{"invalid_argument", "empty"}},
		{"JSON of another shape", service + "Public", "application/json", `[1,2]`, 400, []string{"invalid_argument"}},
		{"wrong type of a field", service + "Public", "application/json", `{"text":5}`, 400, []string{"invalid_argument", "text"}},
		{"malformed protobuf", service + "Public", "application/proto", "\xff\xff\xff", 400, []string{"invalid_argument"}},
		{"invalid UTF-8 in JSON", service + "Public", "application/json", "{\"text\":\"\xc3\x28\"}", 400, []string{"invalid_argument", "UTF-8"}},
		{"invalid UTF-8 in protobuf", service + "Public", "application/proto", "\x0a\x02\xc3\x28", 400, []string{"invalid_argument", "UTF-8"}},
		{"deep nesting", service + "Public", "application/json", strings.Repeat("[", 100_000), 400, []string{"invalid_argument"}},
		{"oversized body", service + "Public", "application/json", `{"text":"` + strings.Repeat("x", 5<<20) + `"}`, 429, []string{"resource_exhausted", "larger"}},
		{"wrong content type", service + "Public", "text/plain", `{}`, 415, []string{"invalid_argument", "application/json"}},
		{"no content type", service + "Public", "", `{}`, 415, []string{"invalid_argument", "application/json"}},
		{"content type with a charset", service + "Empty", "application/json; charset=utf-8", `{}`, 200, nil},
		{"unknown field where it does no harm", service + "Empty", "application/json", `{"nothing":1}`, 200, nil},
		{"unknown field beside a profile", service + "Profile", "application/json", `{"profil":{}}`, 400, []string{"invalid_argument", `unknown field`, "profil"}},
		{"unknown field in a profile", service + "Profile", "application/json", `{"profile":{"medication":["warfarin"]}}`, 400, []string{"invalid_argument", "medication"}},
		{"profile", service + "Profile", "application/json", `{"profile":{"medications":["warfarin"]}}`, 200, []string{`"medications":1`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, answer := r.post(t, tt.path, tt.contentType, []byte(tt.body))
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, answer)
			}
			if len(answer) > 2000 {
				t.Errorf("the answer repeats the request: %d bytes", len(answer))
			}
			for _, text := range tt.says {
				if !strings.Contains(strings.ReplaceAll(answer, " ", ""), strings.ReplaceAll(text, " ", "")) {
					t.Errorf("answer does not say %q: %s", text, answer)
				}
			}
		})
	}
}

func TestViolationsNameJSONFields(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			_, err := r.client("", options...).Public(t.Context(), &probev1.PublicRequest{
				Text: strings.Repeat("ж", 11), ManyThings: []*probev1.Thing{{WeightKg: 1}, {WeightKg: -3}},
			})
			if got := connect.CodeOf(err); got != connect.CodeInvalidArgument {
				t.Fatalf("code = %v, want invalid_argument (%v)", got, err)
			}
			got := map[string]string{}
			for _, v := range detail[*errdetails.BadRequest](t, err).GetFieldViolations() {
				got[v.GetField()] = v.GetReason()
			}
			want := map[string]string{"text": "string.max_len", "manyThings[1].weightKg": "double.gt"}
			for field, rule := range want {
				if got[field] != rule {
					t.Errorf("violations = %v, want %v", got, want)
				}
			}
			if reason(t, err) != "REQUEST_INVALID" {
				t.Errorf("reason = %q", reason(t, err))
			}
		})
	}
}

// A rule about several fields stands on their message; its id says which field is to blame.
func TestMessageRulesNameFields(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, err := r.client("").Public(t.Context(), &probev1.PublicRequest{ManyThings: []*probev1.Thing{
		{WeightKg: 5, Box: &probev1.Box{BoxKg: 4}}, {WeightKg: 3, Box: &probev1.Box{BoxKg: 4}}, {WeightKg: 3, Box: &probev1.Box{BoxKg: -1}}, {WeightKg: 3000},
	}})
	got := map[string]string{}
	for _, v := range detail[*errdetails.BadRequest](t, err).GetFieldViolations() {
		got[v.GetField()] = v.GetReason()
	}
	want := map[string]string{"manyThings[1].weightKg": "weight_kg.too_light", "manyThings[2].box.boxKg": "box.box_kg.negative", "manyThings[3]": "whole.too_heavy"}
	if !maps.Equal(got, want) {
		t.Errorf("violations = %v, want %v", got, want)
	}
}

// FuzzJSONBody: whatever arrives, the answer is one of the documented ones and the server lives.
func FuzzJSONBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"text":"a"}`, `{"profile":{"medication":1}}`, `[`, "\x00", `{"text":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRig(t, nil)
		status, answer := r.post(t, service+"Profile", "application/json", body)
		if status != 200 && status != 400 && status != 429 {
			t.Errorf("status %d: %s", status, answer)
		}
	})
}

// What the binary codec accepts must be what the JSON codec accepts.
func TestBinaryProfileArrives(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	body, err := proto.Marshal(&probev1.ProfileRequest{Profile: &probev1.Profile{Medications: []string{"warfarin", "aspirin"}}})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := r.post(t, service+"Profile", "application/proto", body)
	var res probev1.ProfileResponse
	if err := proto.Unmarshal([]byte(answer), &res); status != 200 || err != nil || res.GetMedications() != 2 {
		t.Errorf("status %d, answer %v (%v), want 2 medications", status, &res, err)
	}
}
