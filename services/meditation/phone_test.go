package meditation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

const (
	running   = meditationv1.SessionState_SESSION_STATE_RUNNING
	completed = meditationv1.SessionState_SESSION_STATE_COMPLETED
	abandoned = meditationv1.SessionState_SESSION_STATE_ABANDONED
)

// phone is a device of somebody who is signed in. Its methods fail the test where the call is refused.
type phone struct {
	t     *testing.T
	rig   *rig
	owner *authtest.Person
	meditationv1connect.MeditationServiceClient
}

func (r *rig) phone(p *authtest.Person) *phone { return &phone{r.t, r, p, r.as(p)} }

// wait lets time go by, and signs in again: access tokens do not last long.
func (p *phone) wait(d time.Duration) {
	p.t.Helper()
	p.rig.Clock.Advance(d)
	p.owner = p.rig.Login(p.owner)
	p.MeditationServiceClient = p.rig.as(p.owner)
}

// begin starts a session of a meditation, or of the timer; the zone is the one of the account.
func (p *phone) begin(meditation string, at time.Time) *meditationv1.Session {
	p.t.Helper()
	res, err := p.StartSession(p.t.Context(), &meditationv1.StartSessionRequest{
		ClientId: uuid.NewString(), MeditationId: meditation, StartedAt: timestamppb.New(at),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return res.GetSession()
}

// finish completes a session.
func (p *phone) finish(session *meditationv1.Session, at time.Time) *meditationv1.Session {
	p.t.Helper()
	res, err := p.CompleteSession(p.t.Context(), &meditationv1.CompleteSessionRequest{SessionId: session.GetId(), EndedAt: timestamppb.New(at)})
	if err != nil {
		p.t.Fatal(err)
	}
	return res.GetSession()
}

// practise starts and completes a session of so many minutes.
func (p *phone) practise(meditation string, at time.Time, minutes int) *meditationv1.Session {
	p.t.Helper()
	return p.finish(p.begin(meditation, at), at.Add(time.Duration(minutes)*time.Minute))
}

// get is a session as it is stored.
func (p *phone) get(session *meditationv1.Session) *meditationv1.Session {
	p.t.Helper()
	res, err := p.GetSession(p.t.Context(), &meditationv1.GetSessionRequest{SessionId: session.GetId()})
	if err != nil {
		p.t.Fatal(err)
	}
	return res.GetSession()
}

// remove deletes a session.
func (p *phone) remove(session *meditationv1.Session) {
	p.t.Helper()
	if _, err := p.DeleteSession(p.t.Context(), &meditationv1.DeleteSessionRequest{SessionId: session.GetId()}); err != nil {
		p.t.Fatal(err)
	}
}

// list is one page of the history.
func (p *phone) list(req *meditationv1.ListSessionsRequest) *meditationv1.ListSessionsResponse {
	p.t.Helper()
	res, err := p.ListSessions(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

// count reads one number from the database.
func (r *rig) count(query string, args ...any) (n int) {
	r.t.Helper()
	if err := r.Pool.QueryRow(r.t.Context(), query, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// minutes is so many minutes.
func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }
