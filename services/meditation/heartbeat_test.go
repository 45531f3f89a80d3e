package meditation_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// beat is heard of a session.
func (p *phone) beat(req *meditationv1.HeartbeatRequest) *meditationv1.Session {
	p.t.Helper()
	res, err := p.Heartbeat(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.GetSession()
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now()
	s := p.begin(r.catalogue.alone.String(), start)
	r.Clock.Advance(minutes(8))
	cursor := p.sync("", 0).GetCursor()
	seen := func() time.Time {
		var at time.Time
		if err := r.Pool.QueryRow(t.Context(), "SELECT seen_at FROM meditation.sessions").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, test := range []struct {
		what      string
		req       *meditationv1.HeartbeatRequest
		practiced int32
		seen      time.Duration
	}{
		{"told", &meditationv1.HeartbeatRequest{PracticedSeconds: proto.Int32(100), At: timestamppb.New(start.Add(minutes(4)))}, 100, minutes(4)},
		{"late", &meditationv1.HeartbeatRequest{PracticedSeconds: proto.Int32(60), At: timestamppb.New(start.Add(minutes(2)))}, 100, minutes(4)},
		{"more than there was", &meditationv1.HeartbeatRequest{PracticedSeconds: proto.Int32(301), At: timestamppb.New(start.Add(minutes(5)))}, 300, minutes(5)},
		{"nothing told", &meditationv1.HeartbeatRequest{}, 480, minutes(8)},
		{"a clock that is ahead", &meditationv1.HeartbeatRequest{At: timestamppb.New(start.Add(minutes(12)))}, 720, minutes(12)},
		{"none", &meditationv1.HeartbeatRequest{PracticedSeconds: proto.Int32(0)}, 720, minutes(12)},
	} {
		test.req.SessionId = s.GetId()
		got := p.beat(test.req)
		if got.GetPracticedSeconds() != test.practiced || got.GetState() != running || !seen().Equal(start.Add(test.seen)) {
			t.Errorf("%s: %v, seen at %s", test.what, got, seen())
		}
	}
	if res := p.sync(cursor, 0); len(res.GetChanges()) != 0 {
		t.Errorf("a heartbeat is a change: %v", res)
	}
	// Nothing of what is under way counts yet, and nothing is heard of what has ended.
	if len(days(r, ana)) != 0 {
		t.Errorf("days: %v", days(r, ana))
	}
	r.Clock.Advance(minutes(2))
	done := p.finish(s, start.Add(minutes(10)))
	position := proto.Int32(9)
	if got := p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), PracticedSeconds: proto.Int32(80000), PositionSeconds: position}); !proto.Equal(got, done) {
		t.Errorf("after the end: %v", got)
	}
	if n := r.count("SELECT count(*) FROM meditation.positions"); n != 0 {
		t.Errorf("%d positions", n)
	}
}

// A session lasts a day at most, whatever is heard of it.
func TestHeartbeatForDays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, start := r.phone(r.Register("ana@example.test")), r.Clock.Now().Add(-72*time.Hour)
	s := p.begin("", start)
	if got := p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId()}); got.GetPracticedSeconds() != 86400 {
		t.Errorf("%v", got)
	}
	if again, err := r.service.EndAbandoned(t.Context(), meditation.SessionStarted{UserID: r.personOf(s), SessionID: idOf(t, s)}); err != nil || again != 0 {
		t.Errorf("again in %s, %v", again, err)
	}
	if got := p.get(s); got.GetState() != abandoned || !got.GetEndedAt().AsTime().Equal(start.Add(24*time.Hour)) || got.GetPracticedSeconds() != 86400 {
		t.Errorf("%v", got)
	}
}

func TestHeartbeatKeepsPosition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, start := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	s := p.begin(r.catalogue.alone.String(), start)
	r.Clock.Advance(minutes(5))
	for _, test := range []struct {
		at             *timestamppb.Timestamp
		position, want int32
	}{{nil, 300, 300}, {timestamppb.New(start.Add(minutes(4))), 240, 300}} {
		p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), At: test.at, PositionSeconds: proto.Int32(test.position)})
		res, err := p.ListPositions(t.Context(), &meditationv1.ListPositionsRequest{})
		if err != nil || len(res.GetPositions()) != 1 || res.GetPositions()[0].GetPositionSeconds() != test.want || res.GetPositions()[0].GetMeditationId() != r.catalogue.alone.String() {
			t.Errorf("%v: %v, %v", test, res, err)
		}
	}
}

func TestHeartbeatRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.phone(r.Register("ana@example.test"))
	start := r.Clock.Now()
	guided, timer := ana.begin(r.catalogue.alone.String(), start), ana.begin("", start)
	for what, test := range map[string]struct {
		req   *meditationv1.HeartbeatRequest
		field string
	}{
		"no id":                   {&meditationv1.HeartbeatRequest{SessionId: "1"}, "sessionId"},
		"negative":                {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), PracticedSeconds: proto.Int32(-1)}, "practicedSeconds"},
		"30 hours":                {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), PracticedSeconds: proto.Int32(30 * 3600)}, "practicedSeconds"},
		"an hour, at once":        {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), PracticedSeconds: proto.Int32(3600)}, "practicedSeconds"},
		"a negative position":     {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), PositionSeconds: proto.Int32(-1)}, "positionSeconds"},
		"a position in the timer": {&meditationv1.HeartbeatRequest{SessionId: timer.GetId(), PositionSeconds: proto.Int32(1)}, "positionSeconds"},
		"before the start":        {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), At: timestamppb.New(start.Add(-time.Second))}, "at"},
		"in the future":           {&meditationv1.HeartbeatRequest{SessionId: guided.GetId(), At: timestamppb.New(start.Add(minutes(6)))}, "at"},
	} {
		_, err := ana.Heartbeat(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
	iva := r.phone(r.Register("iva@example.test"))
	_, err := iva.Heartbeat(t.Context(), &meditationv1.HeartbeatRequest{SessionId: guided.GetId(), PracticedSeconds: proto.Int32(1)})
	refused(t, "another person's", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	ana.remove(guided)
	_, err = ana.Heartbeat(t.Context(), &meditationv1.HeartbeatRequest{SessionId: guided.GetId()})
	refused(t, "deleted", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
}
