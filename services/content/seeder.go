package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/content/seed"
)

// Seeder loads the catalogue that a new Mind Space begins with. Loading the same data again does nothing; loading changed data brings the seeded items
// up to date and leaves all others alone. Of a seeded item, that is what is the same in every language, and the texts of languages in which no editor
// has published or archived one.
type Seeder struct {
	service *Service
	blobs   *blob.Bucket
	now     func() time.Time
}

// NewSeeder loads into the service's database and into the bucket.
func NewSeeder(service *Service, blobs *blob.Bucket, now func() time.Time) *Seeder {
	return &Seeder{service: service, blobs: blobs, now: now}
}

// Reference loads the vocabularies: categories, tags and voices. changed tells whether there was anything to load.
func (s *Seeder) Reference(ctx context.Context) (changed bool, err error) {
	data, err := seed.Catalogue()
	if err != nil {
		return false, err
	}
	return s.load(ctx, "reference", []any{data.Categories, data.Tags, data.Voices, wordsVersion}, func(q *contentdb.Queries) error {
		if err := writeVocabularies(ctx, q, data); err != nil {
			return err
		}
		return refreshAll(ctx, q)
	})
}

// Demo loads the reference data, then the courses and meditations, published at once, with their sound.
func (s *Seeder) Demo(ctx context.Context) (changed bool, err error) {
	data, err := seed.Catalogue()
	if err != nil {
		return false, err
	}
	if changed, err = s.Reference(ctx); err != nil {
		return false, err
	}
	sounds, err := s.sounds(ctx)
	if err != nil {
		return false, err
	}
	loaded, err := s.load(ctx, "demo", []any{data, sounds}, func(q *contentdb.Queries) error {
		media, err := writeMedia(ctx, q, sounds, s.now())
		if err != nil {
			return err
		}
		return writeCatalogue(ctx, q, data, media, s.now())
	})
	return changed || loaded, err
}

// load runs write in one transaction, unless exactly this data has been loaded already, and then drops what is cached of the catalogue.
func (s *Seeder) load(ctx context.Context, name string, data []any, write func(*contentdb.Queries) error) (changed bool, err error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return false, fmt.Errorf("digest of seed %s: %w", name, err)
	}
	digest := sha256.Sum256(encoded)
	err = postgres.InTx(ctx, s.service.Pool, func(tx pgx.Tx) error {
		changed = false
		q := contentdb.New(tx)
		if err := q.LockSeed(ctx, name); err != nil {
			return err
		}
		last, err := q.GetSeedDigest(ctx, name)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if bytes.Equal(last, digest[:]) {
			return nil
		}
		if err := write(q); err != nil {
			return err
		}
		changed = true
		return q.MarkSeed(ctx, contentdb.MarkSeedParams{Name: name, Digest: digest[:], LoadedAt: s.now()})
	})
	if err != nil {
		return false, fmt.Errorf("seed %s: %w", name, err)
	}
	if changed {
		s.service.reseeded(ctx)
	}
	return changed, nil
}
