package content_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

func TestSeedingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	if _, err := r.pool.Exec(t.Context(), "UPDATE content.meditation_texts SET title = 'Ours now' WHERE meditation_id = $1 AND locale = 'en'", id); err != nil {
		t.Fatal(err)
	}
	if changed, err := r.seeder.Demo(t.Context()); err != nil || changed {
		t.Errorf("second time: changed %v, %v", changed, err)
	}
	res, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: id})
	if err != nil || res.GetMeditation().GetTitle() != "Ours now" {
		t.Errorf("an edit was overwritten: %v, %v", res, err)
	}
}

func TestSeedingAtOnceLoadsOnce(t *testing.T) {
	t.Parallel()
	r := newEmptyRig(t, memblob.OpenBucket(nil))
	var all sync.WaitGroup
	var mu sync.Mutex
	loads := 0
	for range 4 {
		all.Go(func() {
			changed, err := r.seeder.Demo(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if changed {
				loads++
			}
		})
	}
	all.Wait()
	if loads != 1 && loads != 2 { // the reference data and the rest may fall to two of them
		t.Errorf("%d of 4 loaded something", loads)
	}
	var meditations, media int
	if err := r.pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM content.meditations), (SELECT count(*) FROM content.media)").Scan(&meditations, &media); err != nil {
		t.Fatal(err)
	}
	if meditations < 40 || media == 0 || media > 40 {
		t.Errorf("%d meditations, %d media", meditations, media)
	}
}

func TestEveryMeditationHasItsSound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rows, err := r.pool.Query(t.Context(), `SELECT m.slug, a.blob_key, a.size_bytes, encode(a.sha256, 'hex'), a.content_type
		FROM content.meditations m LEFT JOIN content.media a ON a.id = m.media_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var slug, key, sum, kind string
		var size int64
		if err := rows.Scan(&slug, &key, &size, &sum, &kind); err != nil {
			t.Fatalf("a meditation without a sound: %v", err)
		}
		file, err := r.blobs.ReadAll(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", slug, err)
			continue
		}
		got := sha256.Sum256(file)
		if int64(len(file)) != size || hex.EncodeToString(got[:]) != sum || !bytes.HasPrefix(file, []byte("fLaC")) || kind != "audio/flac" {
			t.Errorf("%s: what is stored is not what is registered", slug)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// A blob store that lost its files gets them back.
func TestSeedingRestoresLostSound(t *testing.T) {
	t.Parallel()
	r := newEmptyRig(t, memblob.OpenBucket(nil))
	if _, err := r.seeder.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lost []string
	list := r.blobs.List(nil)
	for {
		object, err := list.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lost = append(lost, object.Key)
	}
	if err := r.blobs.Delete(t.Context(), lost[0]); err != nil {
		t.Fatal(err)
	}
	if err := r.blobs.WriteAll(t.Context(), lost[1], []byte("half"), &blob.WriterOptions{ContentType: "audio/flac"}); err != nil {
		t.Fatal(err)
	}
	torn, err := r.blobs.Attributes(t.Context(), lost[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := r.blobs.WriteAll(t.Context(), lost[2], []byte("fLaC"), &blob.WriterOptions{ContentType: "audio/flac", Metadata: torn.Metadata}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.seeder.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range lost[:3] {
		if file, err := r.blobs.ReadAll(t.Context(), key); err != nil || len(file) < 1000 {
			t.Errorf("%s: %d bytes, %v", key, len(file), err)
		}
	}
}
