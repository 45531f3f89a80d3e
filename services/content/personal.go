package content

import "github.com/mindspace-app/mindspace/platform/personal"

// Personal is what this domain holds about persons.
func (s *Service) Personal() personal.Domain {
	return personal.Domain{
		Name: "content",
		Tables: []personal.Table{
			{Name: "content.favourites", What: "meditations that you like", Owner: "user_id", Order: "created_at, meditation_id"},
			revisionsTable(),
		},
		Rules: []personal.Rule{
			{What: "favourites", Table: "content.favourites", Keep: -1, Why: "until the person takes them off, or is erased"},
			revisionsRule(),
		},
	}
}
