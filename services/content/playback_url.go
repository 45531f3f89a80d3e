package content

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// AudioPath is where this program serves sound, with the id of the media behind it.
const AudioPath = "/media/audio/"

// MediaFromStore as [Options.MediaURL] lets the blob store itself serve sound, by presigned URLs. They work no longer than the credentials that sign them,
// whatever expiresAt says, and only where people reach the store's endpoint; so it is never chosen by itself.
const MediaFromStore = "s3"

// linkLife is how long a URL of sound works at least.
const linkLife = 6 * time.Hour

// linksUntil is until when a URL that is made now works: [linkLife] rounded up to the full hour, so that everybody who asks within an hour gets the
// same one, and a CDN keeps one copy.
func linksUntil(now time.Time) time.Time {
	until := now.Add(linkLife)
	if whole := until.Truncate(time.Hour); whole.Before(until) {
		return whole.Add(time.Hour)
	}
	return until
}

// links signs the URLs of sound that this program serves, and knows its own.
type links struct {
	// keys are the primary one, which signs, and older ones.
	keys []secret.Key
}

func newLinks(keys *secret.Keyring) links {
	_, all := keys.Derive("content.audio")
	return links{keys: all}
}

// query is the signed part of a URL: all of its query.
func (l links) query(media uuid.UUID, until time.Time) string {
	return linkQuery(l.keys[0], media, until.Unix())
}

// until reads the query of a URL: until when it works. ok is false unless it is, to the letter, one that we wrote for these media, so that every sound has
// one URL for a cache; the time may be over all the same.
func (l links) until(media uuid.UUID, query string) (until time.Time, ok bool) {
	text, _, _ := strings.Cut(strings.TrimPrefix(query, "expires="), "&")
	expires, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	for _, key := range l.keys {
		if hmac.Equal([]byte(query), []byte(linkQuery(key, media, expires))) {
			return time.Unix(expires, 0), true
		}
	}
	return time.Time{}, false
}

func linkQuery(key secret.Key, media uuid.UUID, expires int64) string {
	return "expires=" + strconv.FormatInt(expires, 10) + "&signature=" + base64.RawURLEncoding.EncodeToString(signLink(key, media, expires))
}

func signLink(key secret.Key, media uuid.UUID, expires int64) []byte {
	mac := hmac.New(sha256.New, key[:])
	_, _ = fmt.Fprintf(mac, "audio v1\n%s\n%d", media, expires)
	return mac.Sum(nil)
}

// mediaURL is where a sound is fetched until a time.
func (s *Service) mediaURL(ctx context.Context, m contentdb.ContentMedium, until time.Time) (string, error) {
	base := s.PublicURL
	switch s.MediaURL {
	case "":
	case MediaFromStore:
		signed, err := s.Blobs.SignedURL(ctx, m.BlobKey, &blob.SignedURLOptions{Expiry: until.Sub(s.now())})
		if err != nil {
			return "", fmt.Errorf("sign the URL of media %s: %w", m.ID, err)
		}
		return signed, nil
	default:
		base = s.MediaURL
	}
	return base + AudioPath + m.ID.String() + "?" + s.links.query(m.ID, until), nil
}
