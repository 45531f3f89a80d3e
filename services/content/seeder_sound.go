package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/services/content/sound"
)

// soundVersion is part of the key of a rendered sound: raise it when package sound would write other bytes for the same code, or those that are in the
// store stay.
const soundVersion = "1"

// soundSuffix ends the key of a rendered sound.
const soundSuffix = ".flac"

// soundKey is where a sound is stored. It ends with the digest of its bytes: other bytes are another file, and a row of their own.
func soundKey(code string, sum []byte) string {
	return soundPrefix(code) + hex.EncodeToString(sum) + soundSuffix
}

func soundPrefix(code string) string { return "sounds/" + code + "-" + soundVersion + "-" }

// renderedSound is a sound in the blob store.
type renderedSound struct {
	Code            string  `json:"code"`
	Key             string  `json:"key"`
	ContentType     string  `json:"content_type"`
	SizeBytes       int64   `json:"size_bytes"`
	SHA256          []byte  `json:"sha256"`
	DurationSeconds float64 `json:"duration_seconds"`
	Loops           bool    `json:"loops"`
}

// sounds makes sure that every sound is in the blob store and tells what is there. What is there already is not rendered again.
func (s *Seeder) sounds(ctx context.Context) ([]renderedSound, error) {
	codes := sound.Codes()
	all := make([]renderedSound, len(codes))
	group, ctx := errgroup.WithContext(ctx)
	for i, code := range codes {
		group.Go(func() (err error) {
			all[i], err = s.sound(ctx, code)
			return err
		})
	}
	return all, group.Wait()
}

func (s *Seeder) sound(ctx context.Context, code string) (renderedSound, error) {
	info, err := sound.Describe(code)
	if err != nil {
		return renderedSound{}, err
	}
	r := renderedSound{Code: code, ContentType: info.ContentType, DurationSeconds: info.DurationSeconds, Loops: info.Loop}
	if present, err := s.present(ctx, &r); err != nil || present {
		return r, err
	}
	var file bytes.Buffer
	if _, err := sound.Render(code, &file); err != nil {
		return r, err
	}
	sum := sha256.Sum256(file.Bytes())
	r.Key, r.SHA256, r.SizeBytes = soundKey(code, sum[:]), sum[:], int64(file.Len())
	err = s.blobs.WriteAll(ctx, r.Key, file.Bytes(), &blob.WriterOptions{
		ContentType: r.ContentType, CacheControl: "public, max-age=31536000, immutable",
		Metadata: map[string]string{sizeKey: strconv.FormatInt(r.SizeBytes, 10)},
	})
	if err != nil {
		return r, fmt.Errorf("store sound %s: %w", code, err)
	}
	return r, nil
}

// sizeKey is what a blob's metadata says of its size in bytes.
const sizeKey = "size"

// present fills in what the store knows of a sound that it holds whole; of several files the first by key.
func (s *Seeder) present(ctx context.Context, r *renderedSound) (bool, error) {
	prefix := soundPrefix(r.Code)
	list := s.blobs.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look for sound: %w", err)
		}
		sum, garbled := hex.DecodeString(strings.TrimSuffix(strings.TrimPrefix(object.Key, prefix), soundSuffix))
		if garbled != nil || len(sum) != sha256.Size {
			continue
		}
		attributes, err := s.blobs.Attributes(ctx, object.Key)
		if err != nil {
			return false, fmt.Errorf("look at sound: %w", err)
		}
		// One of another size than was written was made by hand or is torn: it is rendered again.
		if attributes.Metadata[sizeKey] == strconv.FormatInt(attributes.Size, 10) {
			r.Key, r.SHA256, r.SizeBytes = object.Key, sum, attributes.Size
			return true, nil
		}
	}
}

// writeMedia registers the sounds and gives their ids by code.
func writeMedia(ctx context.Context, q *contentdb.Queries, sounds []renderedSound, now time.Time) (map[string]uuid.UUID, error) {
	ids := make(map[string]uuid.UUID, len(sounds))
	for _, r := range sounds {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		ids[r.Code], err = q.UpsertMedia(ctx, contentdb.UpsertMediaParams{
			ID: id, BlobKey: r.Key, ContentType: r.ContentType, SizeBytes: r.SizeBytes, Sha256: r.SHA256,
			DurationSeconds: r.DurationSeconds, Loops: r.Loops, CreatedAt: now,
		})
		if err != nil {
			return nil, fmt.Errorf("write media %s: %w", r.Key, err)
		}
	}
	return ids, nil
}
