package meditation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// SavePosition keeps how far into meditations the caller is, all of them or none. The latest moment wins; of two that are the same, the stored one.
// Faults: Invalid (positions[0].meditationId, positions[0].at), NotFound (MEDITATION_NOT_FOUND).
func (s *Service) SavePosition(ctx context.Context, req *meditationv1.SavePositionRequest) (*meditationv1.SavePositionResponse, error) {
	params := meditationdb.SavePositionsParams{UserID: identity.CallerFrom(ctx).UserID}
	now, places := s.now(), map[uuid.UUID]int{}
	for i, p := range req.GetPositions() {
		field := fmt.Sprintf("positions[%d]", i)
		id, at, err := s.positionOf(ctx, now, field, p)
		if err != nil {
			return nil, err
		}
		if _, twice := places[id]; twice {
			return nil, fault.Invalid("%s.meditationId is there twice", field).WithField(field+".meditationId", "must be another meditation than in the others")
		}
		places[id] = i
		params.MeditationIds = append(params.MeditationIds, id)
		params.PositionSeconds = append(params.PositionSeconds, p.GetPositionSeconds())
		params.Ats = append(params.Ats, at)
	}
	rows, err := meditationdb.New(s.Pool).SavePositions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("save positions: %w", err)
	}
	res := &meditationv1.SavePositionResponse{Positions: make([]*meditationv1.Position, len(rows))}
	for _, row := range rows {
		res.Positions[places[row.MeditationID]] = positionMessage(row)
	}
	return res, nil
}

// positionOf checks one position. A moment that is ahead of our clock is taken for now, so that a phone whose clock is fast does not win over others.
// Faults: Invalid, NotFound (MEDITATION_NOT_FOUND), naming the field.
func (s *Service) positionOf(ctx context.Context, now time.Time, field string, p *meditationv1.Position) (uuid.UUID, time.Time, error) {
	id, err := meditationOf(field+".meditationId", p.GetMeditationId())
	if err != nil {
		return id, now, err
	}
	at := now
	if told := p.GetAt(); told != nil {
		at = stored(told.AsTime())
		if !told.IsValid() || at.Before(firstStart) || at.After(now.Add(maxAhead)) {
			return id, at, fault.Invalid("%s.at is before 2000 or in the future", field).WithField(field+".at", "must be in 2000 or later, and not in the future")
		}
	}
	if _, err = s.factOf(ctx, id); fault.KindOf(err) == fault.KindNotFound {
		err = noMeditation(field+".meditationId", id)
	}
	return id, earlier(at, now), err
}

func positionMessage(row meditationdb.MeditationPosition) *meditationv1.Position {
	return &meditationv1.Position{MeditationId: row.MeditationID.String(), PositionSeconds: row.PositionSeconds, At: timestamppb.New(row.At)}
}

// positionPlace is where a page of positions ends.
type positionPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// ListPositions returns one page of how far into meditations the caller is, latest first. Faults: Invalid (pageToken, meditationId).
func (s *Service) ListPositions(ctx context.Context, req *meditationv1.ListPositionsRequest) (*meditationv1.ListPositionsResponse, error) {
	me, size := identity.CallerFrom(ctx).UserID, cursor.PageSize(req.GetPageSize())
	scope := strings.Join([]string{"ListPositions", me.String(), req.GetMeditationId()}, "|")
	before := positionPlace{At: lastDay.start()}
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	params := meditationdb.ListPositionsParams{UserID: me, BeforeAt: before.At, AfterID: before.ID, PageSize: size + 1}
	if req.GetMeditationId() != "" {
		id, err := uid.Parse("meditationId", req.GetMeditationId())
		if err != nil {
			return nil, err
		}
		params.MeditationID = &id
	}
	rows, err := meditationdb.New(s.Pool).ListPositions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list positions: %w", err)
	}
	res := &meditationv1.ListPositionsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, size, func(last meditationdb.MeditationPosition) any {
		return positionPlace{At: last.At, ID: last.MeditationID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Positions = append(res.Positions, positionMessage(row))
	}
	return res, nil
}
