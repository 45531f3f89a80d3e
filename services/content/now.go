package content

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/zone"
)

const (
	// defaultForNow is how many proposals there are when nobody says how many.
	defaultForNow = 5
	// wholeCatalogue is how many meditations proposals are made from, the first ones of the catalogue.
	wholeCatalogue = 2000
	// rememberedHistory is how many courses, meditations and favourites of a person are looked at.
	rememberedHistory = 100
)

// ListForNow proposes meditations for a time of day and a person, by the rule of [forNow]. Faults: Invalid (timeZone, at).
func (s *Service) ListForNow(ctx context.Context, req *contentv1.ListForNowRequest) (*contentv1.ListForNowResponse, error) {
	at := s.now()
	if req.GetAt() != nil {
		if err := req.GetAt().CheckValid(); err != nil {
			return nil, fault.Invalid("at is no time").WithField("at", "must be a time from the year 1 to 9999")
		}
		at = req.GetAt().AsTime()
	}
	where, err := s.zoneOf(ctx, req.GetTimeZone())
	if err != nil {
		return nil, err
	}
	language, limit := locale.Of(req.GetLocale()), int(req.GetLimit())
	if limit == 0 {
		limit = defaultForNow
	}
	catalogue, err := s.catalogue(ctx, language)
	if err != nil {
		return nil, err
	}
	h, err := s.history(ctx, catalogue)
	if err != nil {
		return nil, err
	}
	local := at.In(where)
	res := &contentv1.ListForNowResponse{TimeOfDay: timeOfDay(local)}
	for _, p := range forNow(catalogue, h, local, limit) {
		res.Items = append(res.Items, &contentv1.ListForNowResponse_ForNow{
			Meditation: p.meditation, Reason: p.reason, ReasonText: reasonText(language, p, res.GetTimeOfDay()),
		})
	}
	return res, nil
}

// zoneOf gives the zone of a name, or else that of the caller's profile, or else UTC. Fault: Invalid (timeZone).
func (s *Service) zoneOf(ctx context.Context, name string) (*time.Location, error) {
	if name == "" && s.Users != nil && person(ctx) != uuid.Nil {
		asking, cancel := context.WithTimeout(ctx, othersWait)
		defer cancel()
		if me, err := s.Users.GetMe(asking, &userv1.GetMeRequest{}); err == nil {
			if where, err := zone.Load("timeZone", me.GetUser().GetTimeZone()); err == nil {
				return where, nil
			}
		} else if ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "the zone of a caller cannot be told", "error", err)
		}
	}
	return zone.Load("timeZone", name)
}

// catalogue gives the first [wholeCatalogue] meditations in a language, from the cache.
func (s *Service) catalogue(ctx context.Context, language string) ([]*contentv1.Meditation, error) {
	scope := "catalogue|" + language
	generation, err := s.generation(ctx)
	if err != nil {
		return nil, err
	}
	res, err := s.pages.Get(ctx, generation+scope, func(ctx context.Context) (*contentv1.ListMeditationsResponse, error) {
		return s.page(ctx, scope, contentdb.ListMeditationsParams{Locale: language, AfterPosition: catalogueStart.Position, PageSize: wholeCatalogue + 1})
	})
	if errors.Is(err, errEmptyPage) {
		return nil, nil
	}
	return res.GetMeditations(), err
}

// history gives what the caller has practised and likes: nothing of somebody who is not signed in, favourites only where practice cannot be told.
func (s *Service) history(ctx context.Context, catalogue []*contentv1.Meditation) (history, error) {
	h, me := history{practised: map[string]time.Time{}}, person(ctx)
	if me == uuid.Nil {
		return h, nil
	}
	favourites, err := contentdb.New(s.Pool).ListFavouriteIDs(ctx, contentdb.ListFavouriteIDsParams{UserID: me, AtMost: rememberedHistory})
	if err != nil {
		return h, fmt.Errorf("list ids of favourites: %w", err)
	}
	for _, id := range favourites {
		h.favourites = append(h.favourites, id.String())
	}
	told := s.practised(ctx, coursesOf(catalogue), rememberedHistory)
	if told == nil {
		return h, nil
	}
	for _, m := range told.GetRecent() {
		h.practised[m.GetMeditationId()] = m.GetLastStartedAt().AsTime()
	}
	for _, c := range told.GetCourses() {
		one := courseHistory{id: c.GetCourseId(), finished: map[string]bool{}, completed: c.GetCompletedAt() != nil, last: c.GetLastPracticedAt().AsTime()}
		for _, id := range c.GetFinishedMeditationIds() {
			one.finished[id] = true
		}
		h.courses = append(h.courses, one)
	}
	return h, nil
}

// coursesOf gives the courses of a catalogue, [rememberedHistory] of them at most.
func coursesOf(catalogue []*contentv1.Meditation) []string {
	var ids []string
	for _, m := range catalogue {
		if id := m.GetCourseId(); id != "" && len(ids) < rememberedHistory && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
