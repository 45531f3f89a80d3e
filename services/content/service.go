// Package content is the catalogue of guided meditations and courses: what there is, in which languages, and how it is found.
// It never knows who practised what; that is the meditation service's.
package content

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cursor"
)

const (
	// cachedPages is how many pages of the catalogue one process remembers.
	cachedPages = 2000
	// pageFresh is how long a page is remembered in a process; a change of the catalogue drops it at once.
	pageFresh = time.Minute
	// pageShared is how long it is remembered in Redis.
	pageShared = 10 * time.Minute
)

// Service is mindspace.content.v1.ContentService.
type Service struct {
	pool    *pgxpool.Pool
	cursors *cursor.Codec
	pages   *cache.Cache[*contentv1.ListMeditationsResponse]
}

var _ contentv1connect.ContentServiceHandler = (*Service)(nil)

// New returns the service on its database.
func New(pool *pgxpool.Pool, cursors *cursor.Codec, store *cache.Store) *Service {
	return &Service{pool: pool, cursors: cursors, pages: newPages(store)}
}

func newPages(store *cache.Store) *cache.Cache[*contentv1.ListMeditationsResponse] {
	return cache.New(store, cache.Options[*contentv1.ListMeditationsResponse]{
		Name:       "content_pages",
		MaxEntries: cachedPages,
		TTL:        pageFresh,
		SharedTTL:  pageShared,
		Codec:      cache.Proto[*contentv1.ListMeditationsResponse](),
	})
}
