package meditation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
)

// position is how far into a meditation somebody was at a time.
func position(meditation uuid.UUID, seconds int32, at time.Time) *meditationv1.Position {
	return &meditationv1.Position{MeditationId: meditation.String(), PositionSeconds: seconds, At: timestamppb.New(at)}
}

// save keeps positions and gives what is stored then.
func (p *phone) save(positions ...*meditationv1.Position) []*meditationv1.Position {
	p.t.Helper()
	res, err := p.SavePosition(p.t.Context(), &meditationv1.SavePositionRequest{Positions: positions})
	if err != nil {
		p.t.Fatal(err)
	}
	return res.GetPositions()
}

// positions is one page of them.
func (p *phone) positions(req *meditationv1.ListPositionsRequest) *meditationv1.ListPositionsResponse {
	p.t.Helper()
	res, err := p.ListPositions(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

func TestSavePosition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, now := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	other := r.phone(r.Register("iva@example.test"))
	a, b := r.catalogue.alone, r.catalogue.lessons[0]
	for _, test := range []struct {
		what      string
		saved     []*meditationv1.Position
		want      []*meditationv1.Position
		fromOther bool
	}{
		{"two", []*meditationv1.Position{position(b, 20, now.Add(-minutes(10))), position(a, 10, now.Add(-minutes(20)))}, nil, false},
		{"later", []*meditationv1.Position{position(a, 11, now.Add(-minutes(19)))}, nil, false},
		{
			"earlier, and later", []*meditationv1.Position{position(a, 99, now.Add(-minutes(30))), position(b, 21, now.Add(-minutes(9)))},
			[]*meditationv1.Position{position(a, 11, now.Add(-minutes(19))), position(b, 21, now.Add(-minutes(9)))}, false,
		},
		{"at the same moment", []*meditationv1.Position{position(b, 99, now.Add(-minutes(9)))}, []*meditationv1.Position{position(b, 21, now.Add(-minutes(9)))}, false},
		{"back to the beginning", []*meditationv1.Position{position(b, 0, now.Add(-minutes(8)))}, nil, false},
		{"by a clock that is ahead", []*meditationv1.Position{position(b, 5, now.Add(minutes(5)))}, []*meditationv1.Position{position(b, 5, now)}, false},
		{"now", []*meditationv1.Position{{MeditationId: a.String(), PositionSeconds: 12}}, []*meditationv1.Position{position(a, 12, now)}, false},
		{"another person's", []*meditationv1.Position{position(a, 500, now)}, nil, true},
	} {
		phone := p
		if test.fromOther {
			phone = other
		}
		want := test.want
		if want == nil {
			want = test.saved
		}
		got := phone.save(test.saved...)
		for i := range want {
			if len(got) != len(want) || !proto.Equal(got[i], want[i]) {
				t.Errorf("%s: %v, want %v", test.what, got, want)
				break
			}
		}
	}
	if got := p.positions(&meditationv1.ListPositionsRequest{MeditationId: a.String()}).GetPositions(); len(got) != 1 || got[0].GetPositionSeconds() != 12 {
		t.Errorf("of one meditation: %v", got)
	}
}

// In whatever order phones tell of their moments, and at once, the latest one is what stays.
func TestSavePositionInAnyOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, now := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	var saving []func()
	for _, i := range rand.Perm(30) {
		saving = append(saving, func() {
			batch := []*meditationv1.Position{position(r.catalogue.alone, int32(i), now.Add(-time.Duration(30-i)*time.Second))}
			for _, lesson := range r.catalogue.lessons {
				batch = append(batch, position(lesson, int32(i), now.Add(-time.Duration(30-i)*time.Second)))
			}
			rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			if _, err := p.SavePosition(t.Context(), &meditationv1.SavePositionRequest{Positions: batch}); err != nil {
				t.Error(err)
			}
		})
	}
	atOnce(saving...)
	got := p.positions(&meditationv1.ListPositionsRequest{}).GetPositions()
	if len(got) != 4 {
		t.Fatalf("%v", got)
	}
	for _, one := range got {
		if one.GetPositionSeconds() != 29 {
			t.Errorf("%v", one)
		}
	}
}

func TestListPositions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, now := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	other := r.phone(r.Register("iva@example.test"))
	// Two of one moment, so that ids decide.
	p.save(position(r.catalogue.lessons[0], 1, now.Add(-minutes(3))), position(r.catalogue.lessons[1], 2, now.Add(-minutes(3))),
		position(r.catalogue.lessons[2], 3, now.Add(-minutes(9))), position(r.catalogue.alone, 4, now))
	all := p.positions(&meditationv1.ListPositionsRequest{}).GetPositions()
	if len(all) != 4 || all[0].GetPositionSeconds() != 4 || all[3].GetPositionSeconds() != 3 || all[1].GetMeditationId() > all[2].GetMeditationId() {
		t.Fatalf("%v", all)
	}
	for _, size := range []int32{1, 2, 3, 4, 100} {
		var paged []*meditationv1.Position
		for token, more := "", true; more; more = token != "" {
			res := p.positions(&meditationv1.ListPositionsRequest{PageSize: size, PageToken: token})
			paged, token = append(paged, res.GetPositions()...), res.GetNextPageToken()
		}
		if fmt.Sprint(paged) != fmt.Sprint(all) {
			t.Errorf("%d a page: %v, want %v", size, paged, all)
		}
	}
	if got := other.positions(&meditationv1.ListPositionsRequest{}); len(got.GetPositions()) != 0 {
		t.Errorf("another person sees %v", got)
	}
	token := p.positions(&meditationv1.ListPositionsRequest{PageSize: 1}).GetNextPageToken()
	for what, test := range map[string]struct {
		p     *phone
		req   *meditationv1.ListPositionsRequest
		field string
	}{
		"a negative page":        {p, &meditationv1.ListPositionsRequest{PageSize: -1}, "pageSize"},
		"another person's token": {other, &meditationv1.ListPositionsRequest{PageToken: token}, "pageToken"},
		"no meditation's id":     {p, &meditationv1.ListPositionsRequest{MeditationId: "1"}, "meditationId"},
	} {
		_, err := test.p.ListPositions(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
}

func TestSavePositionRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, now := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	good := position(r.catalogue.alone, 1, now)
	many := make([]*meditationv1.Position, 101)
	for i := range many {
		many[i] = good
	}
	for what, test := range map[string]struct {
		positions []*meditationv1.Position
		code      connect.Code
		field     string
	}{
		"none":          {nil, connect.CodeInvalidArgument, "positions"},
		"101":           {many, connect.CodeInvalidArgument, "positions"},
		"no id":         {[]*meditationv1.Position{good, {MeditationId: "1"}}, connect.CodeInvalidArgument, "positions[1].meditationId"},
		"no meditation": {[]*meditationv1.Position{good, position(uuid.New(), 1, now)}, connect.CodeNotFound, "positions[1].meditationId"},
		"the timer":     {[]*meditationv1.Position{good, position(uuid.Nil, 1, now)}, connect.CodeNotFound, "positions[1].meditationId"},
		"one twice":     {[]*meditationv1.Position{good, good}, connect.CodeInvalidArgument, "positions[1].meditationId"},
		"negative":      {[]*meditationv1.Position{position(r.catalogue.alone, -1, now)}, connect.CodeInvalidArgument, "positions[0].positionSeconds"},
		"30 hours":      {[]*meditationv1.Position{position(r.catalogue.alone, 30*3600, now)}, connect.CodeInvalidArgument, "positions[0].positionSeconds"},
		"in the future": {[]*meditationv1.Position{position(r.catalogue.alone, 1, now.Add(minutes(6)))}, connect.CodeInvalidArgument, "positions[0].at"},
		"before 2000":   {[]*meditationv1.Position{position(r.catalogue.alone, 1, at(t, "1999-12-31T23:59:59Z").AsTime())}, connect.CodeInvalidArgument, "positions[0].at"},
	} {
		_, err := p.SavePosition(t.Context(), &meditationv1.SavePositionRequest{Positions: test.positions})
		if connect.CodeOf(err) != test.code || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
	nobody := meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.SavePosition(t.Context(), &meditationv1.SavePositionRequest{Positions: []*meditationv1.Position{good}}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	if n := r.count("SELECT count(*) FROM meditation.positions"); n != 0 {
		t.Errorf("%d positions", n)
	}
}
