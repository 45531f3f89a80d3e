package content_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/content"
)

// rig is the content service behind the chain, with the demo catalogue.
type rig struct {
	client  contentv1connect.ContentServiceClient
	service *content.Service
	pool    *pgxpool.Pool
	blobs   *blob.Bucket
	seeder  *content.Seeder
}

var quiet = slog.New(slog.DiscardHandler)

// sounds is the blob store of all tests that only read it: sounds are rendered into it once.
var sounds = struct {
	sync.Mutex
	*blob.Bucket
}{Bucket: memblob.OpenBucket(nil)}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := newEmptyRig(t, sounds.Bucket)
	sounds.Lock()
	defer sounds.Unlock()
	if changed, err := r.seeder.Demo(t.Context()); err != nil || !changed {
		t.Fatalf("seed: changed %v, %v", changed, err)
	}
	return r
}

// newEmptyRig has nothing seeded.
func newEmptyRig(t *testing.T, blobs *blob.Bucket) *rig {
	t.Helper()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{pool: pgtest.New(t, migrations.FS), blobs: blobs}
	store := cache.NewStore(redistest.Client(t), cache.Config{Logger: quiet, Prefix: redistest.Key()})
	running, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() { _ = store.Run(running) }()
	r.service = content.New(r.pool, cursor.New(keys), store)
	r.seeder = content.NewSeeder(r.service, r.blobs, time.Now)
	server, err := rpc.NewServer(rpc.Options{Logger: quiet, Classifiers: []fault.Classifier{postgres.Classify}})
	if err != nil {
		t.Fatal(err)
	}
	contentv1connect.RegisterContentServiceHandler(server.Server, r.service)
	r.client = contentv1connect.NewContentServiceClient(rpc.NewDirectory(server).Client(contentv1connect.ContentServiceName))
	return r
}

// wrongField gives the field that an invalid_argument names, failing when the error is anything else.
func wrongField(t *testing.T, err error) string {
	t.Helper()
	var c *connect.Error
	if !errors.As(err, &c) || c.Code() != connect.CodeInvalidArgument {
		t.Fatalf("got %v, want invalid_argument", err)
	}
	for _, d := range c.Details() {
		msg, err := connectproto.UnmarshalErrorDetail(d)
		if bad, ok := msg.(*errdetails.BadRequest); ok && err == nil {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	t.Fatalf("no field in %v", err)
	return ""
}
