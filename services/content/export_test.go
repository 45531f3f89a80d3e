package content

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
)

// CatalogueChanged is catalogueChanged, for tests that change the database by hand.
func (s *Service) CatalogueChanged(ctx context.Context) { s.catalogueChanged(ctx) }

// WriteText writes a text of a meditation as publishing does, with no description.
func WriteText(t *testing.T, db contentdb.DBTX, meditation, language, title string) {
	t.Helper()
	err := writeText(t.Context(), contentdb.New(db), contentdb.ListMeditationTextsRow{MeditationID: uuid.MustParse(meditation), Locale: language, Title: title})
	if err != nil {
		t.Fatal(err)
	}
}
