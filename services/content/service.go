// Package content is the catalogue of guided meditations and courses: what there is, in which languages, how it is found and heard, and what
// people like of it. It never knows who practised what; it asks the meditation domain, with the caller's own token.
package content

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
)

const (
	// cachedPages is how many pages of each kind one process remembers.
	cachedPages = 2000
	// pageFresh is how long a page is remembered in a process; a change of the catalogue drops it at once.
	pageFresh = time.Minute
	// pageShared is how long it is remembered in Redis.
	pageShared = 10 * time.Minute
	// generationShared is how long a generation of the catalogue is remembered in Redis.
	generationShared = 24 * time.Hour
)

// Options are what the service needs, and what an operator decides.
type Options struct {
	Pool    *pgxpool.Pool
	Keys    *secret.Keyring
	Cursors *cursor.Codec
	Cache   *cache.Store
	// Blobs has the sound.
	Blobs  *blob.Bucket
	Logger *slog.Logger
	Now    func() time.Time
	// Practice is the meditation domain, asked for the caller; nil where there is none: then nobody has any progress.
	Practice meditationv1connect.PracticeServiceClient
	// Users is the user domain, asked for the caller; nil where there is none: then everybody's zone is UTC unless they say which.
	Users userv1connect.UserServiceClient
	// Encodings keeps the JSON of answers from the cache; nil for none.
	Encodings *rpc.Encodings
	// PublicURL is where browsers and apps find this program, without a slash at the end.
	PublicURL string
	// MediaURL is where they find its sound: a CDN in front of it, without a slash at the end, or [MediaFromStore]. Empty means PublicURL.
	MediaURL string
}

// Service is mindspace.content.v1.ContentService.
type Service struct {
	Options
	links links

	generations  *cache.Cache[string]
	pages        *cache.Cache[*contentv1.ListMeditationsResponse]
	coursePages  *cache.Cache[*contentv1.ListCoursesResponse]
	courses      *cache.Cache[*contentv1.GetCourseResponse]
	vocabularies *cache.Cache[*vocabulary]
	media        *cache.Cache[contentdb.ContentMedium]
	facts        *cache.Cache[map[uuid.UUID]*contentv1.Fact]
}

var _ contentv1connect.ContentServiceHandler = (*Service)(nil)

// New returns the service. It connects to nothing.
func New(o Options) *Service {
	return &Service{
		Options: o,
		links:   newLinks(o.Keys),

		generations: cache.New(o.Cache, cache.Options[string]{
			Name: "content_generation", TTL: pageFresh, SharedTTL: generationShared, Codec: cache.JSON[string](),
		}),
		pages: cache.New(o.Cache, cache.Options[*contentv1.ListMeditationsResponse]{
			Name: "content_meditations", MaxEntries: cachedPages, TTL: pageFresh, SharedTTL: pageShared, Codec: cache.Proto[*contentv1.ListMeditationsResponse](),
		}),
		coursePages: cache.New(o.Cache, cache.Options[*contentv1.ListCoursesResponse]{
			Name: "content_course_pages", MaxEntries: cachedPages, TTL: pageFresh, SharedTTL: pageShared, Codec: cache.Proto[*contentv1.ListCoursesResponse](),
		}),
		courses: cache.New(o.Cache, cache.Options[*contentv1.GetCourseResponse]{
			Name: "content_courses", MaxEntries: cachedPages, TTL: pageFresh, SharedTTL: pageShared, Codec: cache.Proto[*contentv1.GetCourseResponse](),
		}),
		vocabularies: cache.New(o.Cache, cache.Options[*vocabulary]{Name: "content_vocabularies", TTL: pageFresh}),
		media:        cache.New(o.Cache, cache.Options[contentdb.ContentMedium]{Name: "content_media", TTL: pageFresh}),
		facts:        cache.New(o.Cache, cache.Options[map[uuid.UUID]*contentv1.Fact]{Name: "content_facts", TTL: pageFresh}),
	}
}

// theGeneration is the one key of generations.
const theGeneration = "catalogue"

// generation names the catalogue between two changes of it: the keys of pages and courses in caches begin with it. What is kept under an earlier one is
// not found any more, and expires; to clear these caches would be to look through all of Redis.
func (s *Service) generation(ctx context.Context) (string, error) {
	return s.generations.Get(ctx, theGeneration, func(context.Context) (string, error) { return rand.Text() + "|", nil })
}

// catalogueChanged lets go of what is cached of the catalogue, everywhere. Call it after the commit of any change of what others see of items.
func (s *Service) catalogueChanged(ctx context.Context) {
	s.generations.Invalidate(ctx, theGeneration)
	s.facts.Invalidate(ctx, allFacts)
}

// reseeded lets go of what only a seed changes, too.
func (s *Service) reseeded(ctx context.Context) {
	s.catalogueChanged(ctx)
	s.vocabularies.Invalidate(ctx, locale.All()...)
	s.media.Clear(ctx) // not in Redis
}

// now is the time as the database keeps it.
func (o Options) now() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }

// person is who is signed in; uuid.Nil when nobody is.
func person(ctx context.Context) uuid.UUID { return identity.CallerFrom(ctx).UserID }
