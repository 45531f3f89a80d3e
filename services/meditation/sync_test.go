package meditation_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
)

// sync is one page of changes.
func (p *phone) sync(cursor string, size int32) *meditationv1.SyncSessionsResponse {
	p.t.Helper()
	res, err := p.SyncSessions(p.t.Context(), &meditationv1.SyncSessionsRequest{Cursor: cursor, PageSize: size})
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

// copyOf is what a phone knows that follows the changes: sessions by id.
type copyOf map[string]*meditationv1.Session

// apply takes in a page.
func (c copyOf) apply(res *meditationv1.SyncSessionsResponse) {
	for _, change := range res.GetChanges() {
		if gone := change.GetDeleted(); gone != nil {
			delete(c, gone.GetId())
		} else {
			c[change.GetSession().GetId()] = change.GetSession()
		}
	}
}

func TestSyncSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-time.Hour)
	if res := p.sync("", 0); len(res.GetChanges()) != 0 || res.GetCursor() == "" || res.GetHasMore() {
		t.Errorf("nothing yet: %v", res)
	}
	first, second := p.practise("", start, 5), p.begin("", start)
	if _, err := p.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: first.GetId(), Note: "a thought"}); err != nil {
		t.Fatal(err)
	}
	first = p.get(first)
	res := p.sync("", 1)
	if len(res.GetChanges()) != 1 || !res.GetHasMore() || !proto.Equal(res.GetChanges()[0].GetSession(), second) {
		t.Errorf("the first page: %v", res)
	}
	res = p.sync(res.GetCursor(), 1)
	if len(res.GetChanges()) != 1 || res.GetHasMore() || !proto.Equal(res.GetChanges()[0].GetSession(), first) || first.GetNote() != "a thought" {
		t.Errorf("the second page: %v", res)
	}
	cursor := res.GetCursor()
	if res = p.sync(cursor, 0); len(res.GetChanges()) != 0 || res.GetCursor() != cursor {
		t.Errorf("nothing new: %v", res)
	}
	r.Clock.Advance(minutes(1))
	p.remove(first)
	res = p.sync(cursor, 0)
	gone := &meditationv1.DeletedSession{Id: first.GetId(), ClientId: first.GetClientId(), DeletedAt: timestamppb.New(r.Clock.Now())}
	if len(res.GetChanges()) != 1 || !proto.Equal(res.GetChanges()[0].GetDeleted(), gone) {
		t.Errorf("deleted: %v", res)
	}
	// A cursor is one person's.
	_, err := r.as(r.Register("iva@example.test")).SyncSessions(t.Context(), &meditationv1.SyncSessionsRequest{Cursor: cursor})
	refused(t, "another person's cursor", err, connect.CodeInvalidArgument, "PAGE_TOKEN_INVALID")
	if wrongField(err) != "cursor" {
		t.Errorf("names %q", wrongField(err))
	}
	for _, size := range []int32{-1, 101} {
		if _, err := p.SyncSessions(t.Context(), &meditationv1.SyncSessionsRequest{PageSize: size}); wrongField(err) != "pageSize" {
			t.Errorf("%d a page: %v", size, err)
		}
	}
}

// A session that changes between two pages is told again, at the end.
func TestSyncSessionsTellsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, start := r.phone(r.Register("ana@example.test")), r.Clock.Now().Add(-time.Hour)
	var all []*meditationv1.Session
	for range 3 {
		all = append(all, p.begin("", start))
	}
	res := p.sync("", 2)
	done := p.finish(all[0], start.Add(minutes(5)))
	res = p.sync(res.GetCursor(), 2)
	if len(res.GetChanges()) != 2 || !proto.Equal(res.GetChanges()[0].GetSession(), all[2]) || !proto.Equal(res.GetChanges()[1].GetSession(), done) {
		t.Errorf("%v", res)
	}
}

// While several phones write as fast as they can, one that follows page by page misses nothing: a copy made of the pages alone is what is stored.
func TestSyncSessionsMissesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	start := r.Clock.Now().Add(-12 * time.Hour)
	var writing sync.WaitGroup
	for writer := range 6 {
		writing.Go(func() {
			p, random := r.phone(ana), rand.New(rand.NewPCG(uint64(writer), 7))
			for i := range 25 {
				at := start.Add(time.Duration(writer*25+i) * time.Minute)
				switch random.IntN(5) {
				case 0:
					one := told(at, 1)
					two := told(at, 2)
					record(t, p, one, two)
				case 1:
					p.remove(p.practise("", at, 3))
				case 2:
					p.begin(r.catalogue.alone.String(), at)
				default:
					p.practise(r.catalogue.alone.String(), at, 5)
				}
			}
		})
	}
	stopped := make(chan struct{})
	go func() { writing.Wait(); close(stopped) }()
	p, copied, cursor, pages := r.phone(ana), copyOf{}, "", 0
	for ended := false; ; pages++ {
		res := p.sync(cursor, 7)
		copied.apply(res)
		cursor = res.GetCursor()
		if ended && !res.GetHasMore() {
			break
		}
		select {
		case <-stopped:
			ended = true
		default:
		}
	}
	whole := copyOf{}
	for cursor := ""; ; {
		res := p.sync(cursor, 100)
		whole.apply(res)
		if cursor = res.GetCursor(); !res.GetHasMore() {
			break
		}
	}
	if len(copied) != len(whole) || len(whole) == 0 {
		t.Fatalf("%d sessions in the copy, %d are stored", len(copied), len(whole))
	}
	for id, want := range whole {
		if !proto.Equal(copied[id], want) {
			t.Errorf("the copy has %v, stored is %v", copied[id], want)
		}
	}
	t.Logf("%d sessions in %d pages", len(whole), pages)
}

// A database that was restored from a backup gives numbers again that phones have heard of: they begin anew.
func TestSyncSessionsAfterARestore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p := r.phone(ana)
	p.begin("", r.Clock.Now())
	p.begin("", r.Clock.Now())
	cursor := p.sync("", 0).GetCursor()
	if res := p.sync(cursor, 0); len(res.GetChanges()) != 0 || res.GetCursor() == "" {
		t.Errorf("nothing new: %v", res)
	}
	if _, err := r.Pool.Exec(t.Context(), "UPDATE meditation.people SET change = 1 WHERE user_id = $1", ana.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SyncSessions(t.Context(), &meditationv1.SyncSessionsRequest{Cursor: cursor}); wrongField(err) != "cursor" {
		t.Errorf("restored: %v", err)
	}
}
