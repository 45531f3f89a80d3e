package content

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// GetOfflineManifest tells what a phone has to download. Faults: NotFound (COURSE_NOT_FOUND).
func (s *Service) GetOfflineManifest(ctx context.Context, req *contentv1.GetOfflineManifestRequest) (*contentv1.GetOfflineManifestResponse, error) {
	language, res := locale.Of(req.GetLocale()), &contentv1.GetOfflineManifestResponse{}
	ids, err := s.offlineIDs(ctx, req, language, res)
	if err != nil {
		return nil, err
	}
	q := contentdb.New(s.Pool)
	rows, err := q.ListMeditationsByID(ctx, contentdb.ListMeditationsByIDParams{Ids: ids, Locale: language})
	if err != nil {
		return nil, fmt.Errorf("list meditations by id: %w", err)
	}
	var media []uuid.UUID
	for _, row := range rows {
		m := row.ContentLocalisedMeditation
		item := &contentv1.OfflineItem{Meditation: meditation(m)}
		if m.MediaID != nil {
			item.MediaId = m.MediaID.String()
			media = append(media, *m.MediaID)
		}
		res.Items = append(res.Items, item)
		ids = slices.DeleteFunc(ids, func(id uuid.UUID) bool { return id == m.ID })
	}
	for _, id := range uid.Set(ids) {
		res.MissingMeditationIds = append(res.MissingMeditationIds, id.String())
	}
	if res.GetCourse() != nil {
		slices.SortFunc(res.GetItems(), func(a, b *contentv1.OfflineItem) int { return inCourse(a.GetMeditation(), b.GetMeditation()) })
	}
	until := linksUntil(s.now())
	if err := s.offlineFiles(ctx, q, media, until, res); err != nil {
		return nil, err
	}
	if res.Revision, err = manifestRevision(res); err != nil {
		return nil, err
	}
	res.ExpiresAt = timestamppb.New(until)
	return res, nil
}

// offlineIDs gives the meditations that are asked for, and tells of the course, when it is one.
func (s *Service) offlineIDs(ctx context.Context, req *contentv1.GetOfflineManifestRequest, language string, res *contentv1.GetOfflineManifestResponse) ([]uuid.UUID, error) {
	texts := req.GetMeditationIds()
	if req.GetCourseId() != "" {
		id, err := uid.Parse("courseId", req.GetCourseId())
		if err != nil {
			return nil, err
		}
		found, err := s.getCourse(ctx, id, language)
		if err != nil {
			return nil, err
		}
		res.Course, texts = found.GetCourse(), found.GetCourse().GetMeditationIds()
	}
	ids := make([]uuid.UUID, 0, len(texts))
	for i, text := range texts {
		id, err := uid.Parse(fmt.Sprintf("meditationIds[%d]", i), text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// offlineFiles adds the files of media, each once.
func (s *Service) offlineFiles(ctx context.Context, q *contentdb.Queries, media []uuid.UUID, until time.Time, res *contentv1.GetOfflineManifestResponse) error {
	rows, err := q.ListMedia(ctx, media)
	if err != nil {
		return fmt.Errorf("list media: %w", err)
	}
	for _, m := range rows {
		link, err := s.mediaURL(ctx, m, until)
		if err != nil {
			return err
		}
		res.Files = append(res.Files, &contentv1.OfflineFile{
			MediaId: m.ID.String(), Url: link, SizeBytes: m.SizeBytes, Sha256: hex.EncodeToString(m.Sha256), ContentType: m.ContentType,
			DurationSeconds: m.DurationSeconds, Loops: m.Loops,
		})
		res.TotalBytes += m.SizeBytes
	}
	return nil
}

// manifestRevision is a digest of everything in a manifest but its URLs and when they expire.
func manifestRevision(manifest *contentv1.GetOfflineManifestResponse) (string, error) {
	kept := proto.CloneOf(manifest)
	kept.Revision, kept.ExpiresAt = "", nil
	for _, file := range kept.GetFiles() {
		file.Url = ""
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("digest of a manifest: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:16]), nil
}
