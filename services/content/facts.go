package content

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// rememberedFacts is how many meditations one process remembers the facts of: a whole catalogue. What is beyond is looked up each time.
const rememberedFacts = 10_000

// allFacts is the one key of the cache of facts.
const allFacts = "all"

// Facts is mindspace.content.v1.FactsService.
type Facts struct{ service *Service }

var _ contentv1connect.FactsServiceHandler = (*Facts)(nil)

// NewFacts returns the service beside the one that people use.
func NewFacts(s *Service) *Facts { return &Facts{service: s} }

// GetFacts returns facts of the meditations that there are, published or not, each once. The facts are shared with the cache: they must not be changed.
func (f *Facts) GetFacts(ctx context.Context, req *contentv1.GetFactsRequest) (*contentv1.GetFactsResponse, error) {
	all, err := f.service.facts.Get(ctx, allFacts, func(ctx context.Context) (map[uuid.UUID]*contentv1.Fact, error) {
		return f.list(ctx, nil)
	})
	if err != nil {
		return nil, err
	}
	res := &contentv1.GetFactsResponse{}
	asked, others := map[uuid.UUID]bool{}, []uuid.UUID{}
	for i, text := range req.GetMeditationIds() {
		id, err := uid.Parse(fmt.Sprintf("meditationIds[%d]", i), text)
		if err != nil {
			return nil, err
		}
		if asked[id] {
			continue
		}
		asked[id] = true
		if fact, ok := all[id]; ok {
			res.Facts = append(res.Facts, fact)
		} else {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return res, nil
	}
	found, err := f.list(ctx, others)
	if err != nil {
		return nil, err
	}
	for _, fact := range found {
		res.Facts = append(res.Facts, fact)
	}
	return res, nil
}

// list reads facts; those of every meditation without ids.
func (f *Facts) list(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*contentv1.Fact, error) {
	if ids == nil {
		ids = []uuid.UUID{} // a null has no length
	}
	rows, err := contentdb.New(f.service.Pool).ListFacts(ctx, contentdb.ListFactsParams{Ids: ids, AtMost: rememberedFacts})
	if err != nil {
		return nil, fmt.Errorf("list facts: %w", err)
	}
	facts := make(map[uuid.UUID]*contentv1.Fact, len(rows))
	for _, row := range rows {
		fact := &contentv1.Fact{MeditationId: row.ID.String(), DurationSeconds: row.DurationSeconds}
		if row.CourseID != nil {
			fact.CourseId = row.CourseID.String()
		}
		for _, id := range row.CourseMeditationIds {
			fact.CourseMeditationIds = append(fact.CourseMeditationIds, id.String())
		}
		facts[row.ID] = fact
	}
	return facts, nil
}
