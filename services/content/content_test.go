package content_test

import (
	"context"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/content"
)

// rig is the content services beside those of sign-in, behind the chain, with the demo catalogue.
type rig struct {
	*authtest.Rig
	// client is nobody's in particular.
	client   contentv1connect.ContentServiceClient
	facts    contentv1connect.FactsServiceClient
	service  *content.Service
	pool     *pgxpool.Pool
	blobs    *blob.Bucket
	seeder   *content.Seeder
	practice *practice
	users    *users
}

// sounds is the blob store of all tests that only read it: sounds are rendered into it once.
var sounds = struct {
	sync.Mutex
	*blob.Bucket
}{Bucket: memblob.OpenBucket(nil)}

func newRig(t *testing.T, change ...func(*content.Options)) *rig {
	t.Helper()
	r := newEmptyRig(t, sounds.Bucket, change...)
	sounds.Lock()
	defer sounds.Unlock()
	if changed, err := r.seeder.Demo(t.Context()); err != nil || !changed {
		t.Fatalf("seed: changed %v, %v", changed, err)
	}
	return r
}

// newEmptyRig has nothing seeded.
func newEmptyRig(t *testing.T, blobs *blob.Bucket, change ...func(*content.Options)) *rig {
	t.Helper()
	r := &rig{Rig: authtest.New(t), blobs: blobs, practice: &practice{}, users: &users{}}
	r.pool = r.Pool
	options := content.Options{
		Pool: r.Pool, Keys: r.Keys, Cursors: cursor.New(r.Keys), Cache: r.Cache, Blobs: r.blobs, Logger: r.Logger, Now: r.Clock.Now,
		Practice:  meditationv1connect.NewPracticeServiceClient(r.Directory.Client(meditationv1connect.PracticeServiceName)),
		Users:     userv1connect.NewUserServiceClient(r.Directory.Client(userv1connect.UserServiceName)),
		PublicURL: authtest.PublicURL,
	}
	for _, one := range change {
		one(&options)
	}
	r.service = content.New(options)
	r.seeder = content.NewSeeder(r.service, r.blobs, r.Clock.Now)
	contentv1connect.RegisterContentServiceHandler(r.Server.Server, r.service)
	contentv1connect.RegisterFactsServiceHandler(r.Server.Server, content.NewFacts(r.service))
	meditationv1connect.RegisterPracticeServiceHandler(r.Server.Server, r.practice)
	userv1connect.RegisterUserServiceHandler(r.Server.Server, r.users)
	r.client = contentv1connect.NewContentServiceClient(r.Client(""))
	r.facts = contentv1connect.NewFactsServiceClient(r.Client(""))
	return r
}

// as is a client of somebody who is signed in.
func (r *rig) as(p *authtest.Person) contentv1connect.ContentServiceClient {
	return contentv1connect.NewContentServiceClient(p.Client)
}

// exec runs SQL as somebody would who changes the database by hand.
func (r *rig) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := r.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// practice stands in for the meditation domain: it tells the same of everybody, and which person and courses it was asked for.
type practice struct {
	meditationv1connect.UnimplementedPracticeServiceHandler
	mu    sync.Mutex
	tells *meditationv1.GetProgressResponse
	fails error
	calls []practiceCall
}

type practiceCall struct {
	person  string
	courses []string
}

func (p *practice) GetProgress(ctx context.Context, req *meditationv1.GetProgressRequest) (*meditationv1.GetProgressResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, practiceCall{person: identity.CallerFrom(ctx).UserID.String(), courses: req.GetCourseIds()})
	if p.tells == nil {
		return &meditationv1.GetProgressResponse{}, p.fails
	}
	return p.tells, p.fails
}

// tell sets what is told from now on.
func (p *practice) tell(tells *meditationv1.GetProgressResponse, fails error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tells, p.fails = tells, fails
}

// asked gives the calls since the last time.
func (p *practice) asked() []practiceCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

// users stands in for the user domain: everybody has one zone.
type users struct {
	userv1connect.UnimplementedUserServiceHandler
	mu   sync.Mutex
	zone string
}

func (u *users) GetMe(context.Context, *userv1.GetMeRequest) (*userv1.GetMeResponse, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.zone == "" {
		return nil, fault.Unavailable("away")
	}
	return &userv1.GetMeResponse{User: &userv1.User{TimeZone: u.zone}}, nil
}

func (u *users) live(zone string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.zone = zone
}

// wrongField gives the field that an invalid_argument names, failing when the error is anything else.
func wrongField(t *testing.T, err error) string {
	t.Helper()
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Fatalf("got %v, want invalid_argument", err)
	}
	field := authtest.WrongField(err)
	if field == "" {
		t.Fatalf("no field in %v", err)
	}
	return field
}

// refused checks that a call failed with a code and a reason.
var refused = authtest.Refused
