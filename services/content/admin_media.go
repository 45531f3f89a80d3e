package content

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
)

// mediaPlace is where a page of sounds ends.
type mediaPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// newestMedia is before every sound.
var newestMedia = mediaPlace{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ID: uuid.Max}

// ListMedia returns the sounds that can be chosen, newest first. Fault: Invalid (pageToken).
func (a *Admin) ListMedia(ctx context.Context, req *contentv1.ListMediaRequest) (*contentv1.ListMediaResponse, error) {
	const scope = "ListMedia"
	before, size := newestMedia, cursor.PageSize(req.GetPageSize())
	if err := a.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	rows, err := contentdb.New(a.Pool).ListSounds(ctx, contentdb.ListSoundsParams{Before: before.At, BeforeID: before.ID, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list sounds: %w", err)
	}
	res := &contentv1.ListMediaResponse{}
	rows, res.NextPageToken, err = cursor.Cut(a.Cursors, scope, rows, size, func(last contentdb.ContentMedium) any {
		return mediaPlace{At: last.CreatedAt, ID: last.ID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Media = append(res.Media, &contentv1.Media{
			Id: row.ID.String(), BlobKey: row.BlobKey, ContentType: row.ContentType, SizeBytes: row.SizeBytes, DurationSeconds: row.DurationSeconds,
			Loops: row.Loops, CreatedAt: timestamppb.New(row.CreatedAt),
		})
	}
	return res, nil
}
