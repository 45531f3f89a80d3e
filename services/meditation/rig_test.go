package meditation_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// rig is the meditation services beside those of sign-in, behind the chain. The catalogue and people's settings are other domains', so they are
// played here, by their contract.
type rig struct {
	*authtest.Rig
	t         *testing.T
	service   *meditation.Service
	people    *people
	catalogue *catalogue
}

func newRig(t *testing.T, change ...func(*meditation.Options)) *rig {
	t.Helper()
	r := &rig{Rig: authtest.New(t), t: t, people: &people{}, catalogue: newCatalogue()}
	userv1connect.RegisterUserServiceHandler(r.Server.Server, r.people)
	contentv1connect.RegisterFactsServiceHandler(r.Server.Server, r.catalogue)
	options := meditation.Options{
		Pool: r.Pool, Keys: r.Keys, Queue: r.Queue, Cursors: cursor.New(r.Keys), Cache: r.Cache, Now: r.Clock.Now,
		Users:   userv1connect.NewUserServiceClient(r.Directory.Client(userv1connect.UserServiceName)),
		Content: contentv1connect.NewFactsServiceClient(r.Directory.Client(contentv1connect.FactsServiceName)),
	}
	for _, one := range change {
		one(&options)
	}
	r.service = meditation.New(options)
	meditationv1connect.RegisterMeditationServiceHandler(r.Server.Server, r.service)
	return r
}

// as is a client of somebody who is signed in.
func (r *rig) as(p *authtest.Person) meditationv1connect.MeditationServiceClient {
	return meditationv1connect.NewMeditationServiceClient(p.Client)
}

// people plays the user domain: everybody has the same settings, UTC and midnight unless they are set.
type people struct {
	userv1connect.UnimplementedUserServiceHandler
	mu           sync.Mutex
	zone         string
	dayStartHour int32
}

func (p *people) set(zone string, dayStartHour int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.zone, p.dayStartHour = zone, dayStartHour
}

// GetMe answers as the user domain does.
func (p *people) GetMe(ctx context.Context, _ *userv1.GetMeRequest) (*userv1.GetMeResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := &userv1.User{Id: identity.CallerFrom(ctx).UserID.String(), TimeZone: p.zone, DayStartHour: p.dayStartHour}
	if u.TimeZone == "" {
		u.TimeZone = "UTC"
	}
	return &userv1.GetMeResponse{User: u}, nil
}

// catalogue plays the content domain: a course of three meditations of ten minutes, and one that stands alone.
type catalogue struct {
	course uuid.UUID
	// lessons are those of the course, alone the one without.
	lessons []uuid.UUID
	alone   uuid.UUID
}

func newCatalogue() *catalogue {
	return &catalogue{course: uuid.New(), lessons: []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}, alone: uuid.New()}
}

// GetFacts answers as the content domain does.
func (c *catalogue) GetFacts(_ context.Context, req *contentv1.GetFactsRequest) (*contentv1.GetFactsResponse, error) {
	res := &contentv1.GetFactsResponse{}
	for _, id := range req.GetMeditationIds() {
		f := &contentv1.Fact{MeditationId: id, DurationSeconds: 600}
		switch asked := uuid.MustParse(id); {
		case slices.Contains(c.lessons, asked):
			f.CourseId = c.course.String()
			for _, lesson := range c.lessons {
				f.CourseMeditationIds = append(f.CourseMeditationIds, lesson.String())
			}
		case asked != c.alone:
			continue
		}
		res.Facts = append(res.Facts, f)
	}
	return res, nil
}

// at is a time as the contract has it, from "2026-12-01T08:00:00Z".
func at(t *testing.T, text string) *timestamppb.Timestamp {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return timestamppb.New(parsed)
}

var (
	// refused checks that a call failed with a code and a reason.
	refused = authtest.Refused
	// wrongField is the first field that an error names; empty when it names none.
	wrongField = authtest.WrongField
)
