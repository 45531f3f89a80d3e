package meditation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/fault"
)

const (
	// cachedFacts is how many meditations one process remembers.
	cachedFacts = 10_000
	// factsFresh is how long facts of a meditation are remembered: what is recorded meanwhile belongs to the course as it was then.
	factsFresh = time.Minute
)

// fact is what has to be known of a meditation to record a session of it.
type fact struct {
	seconds int32
	// course is uuid.Nil when it stands alone.
	course     uuid.UUID
	courseList []uuid.UUID
}

func newFacts(store *cache.Store) *cache.Cache[fact] {
	return cache.New(store, cache.Options[fact]{Name: "meditation_facts", MaxEntries: cachedFacts, TTL: factsFresh})
}

// errNoMeditation is told of a meditation that never was.
var errNoMeditation = errors.New("meditation: there is no such meditation")

// factOf asks the content domain what is to be known of a meditation; of the open-ended timer nothing is. Fault: NotFound (MEDITATION_NOT_FOUND).
func (s *Service) factOf(ctx context.Context, meditation uuid.UUID) (fact, error) {
	if meditation == uuid.Nil {
		return fact{}, nil
	}
	f, err := s.facts.Get(ctx, meditation.String(), func(ctx context.Context) (fact, error) { return s.askFact(ctx, meditation) })
	if errors.Is(err, errNoMeditation) {
		return f, noMeditation("meditationId", meditation)
	}
	return f, err
}

func (s *Service) askFact(ctx context.Context, meditation uuid.UUID) (fact, error) {
	facts, err := s.askFacts(ctx, []uuid.UUID{meditation})
	if err != nil {
		return fact{}, err
	}
	f, known := facts[meditation]
	if !known {
		return f, errNoMeditation
	}
	return f, nil
}

// askFacts asks the content domain, at once, what is to be known of meditations. Those that never were are left out.
func (s *Service) askFacts(ctx context.Context, meditations []uuid.UUID) (map[uuid.UUID]fact, error) {
	req := &contentv1.GetFactsRequest{}
	for _, id := range meditations {
		req.MeditationIds = append(req.MeditationIds, id.String())
	}
	res, err := s.Content.GetFacts(ctx, req)
	if err != nil {
		return nil, fault.FromClient(err)
	}
	facts := make(map[uuid.UUID]fact, len(res.GetFacts()))
	for _, told := range res.GetFacts() {
		id, err := uuid.Parse(told.GetMeditationId())
		if err == nil {
			facts[id], err = readFact(told)
		}
		if err != nil {
			return nil, fmt.Errorf("facts of meditation %s: %w", told.GetMeditationId(), err)
		}
	}
	return facts, nil
}

func readFact(told *contentv1.Fact) (f fact, err error) {
	f.seconds = told.GetDurationSeconds()
	if told.GetCourseId() == "" {
		return f, nil
	}
	if f.course, err = uuid.Parse(told.GetCourseId()); err != nil {
		return f, err
	}
	for _, text := range told.GetCourseMeditationIds() {
		id, err := uuid.Parse(text)
		if err != nil {
			return f, err
		}
		f.courseList = append(f.courseList, id)
	}
	return f, nil
}

// finished tells whether so much practice finishes the meditation: four fifths of it, since bells at the end are often cut short. The open-ended timer
// has no end that could be missed.
func (f fact) finished(practiced int32) bool { return practiced*5 >= f.seconds*4 }
