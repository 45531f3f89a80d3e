// Package meditation is a person's practice: sessions and their history, local days, streaks and statistics.
// What a session says is kept as it was told; what follows from sessions (days, streaks, totals) is computed from them, the same whatever the order
// in which they came. It never shows one person's practice to another, and never tells anyone what a note says but its writer.
package meditation

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// Options are what the service needs.
type Options struct {
	Pool    *pgxpool.Pool
	Keys    *secret.Keyring
	Queue   *queue.Client
	Cursors *cursor.Codec
	Cache   *cache.Store
	Now     func() time.Time
	// Users is the user domain, asked for the caller's zone and the hour at which their day begins.
	Users userv1connect.UserServiceClient
	// Content is the content domain, asked for what is to be known of a meditation.
	Content contentv1connect.FactsServiceClient
}

// Service is mindspace.meditation.v1.MeditationService.
type Service struct {
	Options
	facts *cache.Cache[fact]
	// practice is what is known of persons' practice days, for statistics.
	practice *cache.Cache[practice]
}

var _ meditationv1connect.MeditationServiceHandler = (*Service)(nil)

// New returns the service. It connects to nothing.
func New(o Options) *Service {
	return &Service{Options: o, facts: newFacts(o.Cache), practice: newPractice(o.Cache)}
}

// now is the time as the database keeps it.
func (o Options) now() time.Time { return stored(o.Now()) }

// stored is a time as the database keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
