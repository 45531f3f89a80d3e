package audit

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
)

func sampleRecord() auditdb.AuditRecord {
	person, key := uuid.MustParse("0192d3a4-0000-7000-8000-000000000002"), uuid.MustParse("0192d3a4-0000-4000-8000-000000000003")
	prefix := netip.MustParsePrefix("192.0.2.0/24")
	return auditdb.AuditRecord{
		ID:         uuid.MustParse("0192d3a4-0000-7000-8000-000000000001"),
		RecordedAt: time.Date(2026, 11, 30, 18, 0, 0, 123456000, time.FixedZone("", 3600)),
		ActorKind:  actorStaff, ActorID: "0192d3a4-0000-7000-8000-000000000004", ActorRoles: []string{"editor", "admin"},
		Action: "user.profile.update", SubjectType: "user", SubjectID: person.String(),
		PersonID: &person, KeyID: &key, Before: []byte("before"), After: []byte("after"),
		RequestID: "req-1", AddressPrefix: &prefix,
	}
}

// The hash of a record must never change: every chain that exists depends on it.
func TestChainHashIsFixed(t *testing.T) {
	t.Parallel()
	got := hex.EncodeToString(chainHash(make([]byte, hashSize), sampleRecord()))
	if want := "ac54913c87d70313e8537c28a1b5c0916731f757b2450001212ab023192e8e1e"; got != want {
		t.Errorf("hash %s, want %s: existing chains would no longer verify", got, want)
	}
	elsewhere := sampleRecord()
	elsewhere.RecordedAt = elsewhere.RecordedAt.UTC()
	if !bytes.Equal(canonical(elsewhere), canonical(sampleRecord())) {
		t.Error("the zone in which a time is shown changes the bytes")
	}
}

// Every column counts, and null is not the same as empty. A new column fails here until it is covered.
func TestEveryColumnIsCovered(t *testing.T) {
	t.Parallel()
	other := uuid.MustParse("ffffffff-0000-4000-8000-000000000003")
	otherPrefix := netip.MustParsePrefix("2001:db8::/48")
	changes := map[string][]any{
		"ID": {other}, "RecordedAt": {time.Date(2026, 11, 30, 17, 0, 0, 123457000, time.UTC)},
		"ActorKind": {actorUser}, "ActorID": {""}, "ActorRoles": {[]string{"editor"}, []string{"editoradmin"}, []string{"admin", "editor"}, []string{}},
		"Action": {"user.profile.updat"}, "SubjectType": {"useru"}, "SubjectID": {""},
		"PersonID": {&other, (*uuid.UUID)(nil)}, "KeyID": {&other, (*uuid.UUID)(nil)},
		"Before": {[]byte("befor"), []byte{}, []byte(nil)}, "After": {[]byte("eafter"), []byte{}, []byte(nil)},
		"RequestID": {"req-2"}, "AddressPrefix": {&otherPrefix, (*netip.Prefix)(nil)},
	}
	typ := reflect.TypeFor[auditdb.AuditRecord]()
	seen := map[string]string{string(canonical(sampleRecord())): "the sample"}
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if len(changes[name]) == 0 {
			t.Errorf("column %s is not covered by this test", name)
		}
		for _, value := range changes[name] {
			r := sampleRecord()
			reflect.ValueOf(&r).Elem().Field(i).Set(reflect.ValueOf(value))
			b := string(canonical(r))
			if same, ok := seen[b]; ok {
				t.Errorf("%s = %v has the same bytes as %s", name, value, same)
			}
			seen[b] = name
		}
	}
}
