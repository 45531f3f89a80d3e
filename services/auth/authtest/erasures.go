package authtest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gocloud.dev/blob"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/services/auth"
)

// CoolingOff is how long an erasure can be called off.
const CoolingOff = 7 * 24 * time.Hour

// Registry is the domains of a test, with those of sign-in and the platform after them.
func (r *Rig) Registry(domains ...personal.Domain) *personal.Registry {
	return personal.NewRegistry(append(domains, rpc.Personal(), audit.Personal(), auth.Personal())...)
}

// Erasures erases who has asked for it from the domains of the registry, once their time has come: move the clock by [CoolingOff], then Sweep.
// Last letters go to Post.
func (r *Rig) Erasures(registry *personal.Registry, blobs *blob.Bucket) *auth.Erasures {
	postman := auth.NewPostman(r.Pool, &r.Post, PublicURL, limit.NewShared(nil, slog.New(slog.DiscardHandler)), r.Clock.Now)
	return auth.NewErasures(r.Auth, registry, blobs, r.Redis, postman)
}

// Postbox keeps letters instead of sending them.
type Postbox struct {
	mu   sync.Mutex
	sent []mail.Message
}

// Send keeps a letter.
func (p *Postbox) Send(_ context.Context, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

// Take gives the letters since the last time.
func (p *Postbox) Take() []mail.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	letters := p.sent
	p.sent = nil
	return letters
}

// RequestErasure has a person ask to be erased, and gives the id of the erasure.
func (r *Rig) RequestErasure(p *Person) string {
	r.tb.Helper()
	res, err := authv1connect.NewAccountServiceClient(p.Client).RequestErasure(r.From("192.0.2.1"), &authv1.RequestErasureRequest{Password: Password})
	if err != nil {
		r.tb.Fatal(err)
	}
	return res.GetErasureId()
}

// Receipt is how an erasure stands, asked for by nobody in particular.
func (r *Rig) Receipt(erasure string) *authv1.Erasure {
	r.tb.Helper()
	res, err := authv1connect.NewAccountServiceClient(r.Client("")).GetErasure(r.From("192.0.2.1"), &authv1.GetErasureRequest{ErasureId: erasure})
	if err != nil {
		r.tb.Fatal(err)
	}
	return res.GetErasure()
}
