// Package jobs is where work that happens after the answer is picked up: thin River workers that call a service or a platform room.
// Who listens to what stands in this file, every schedule in periodic.go. No rule of the business lives here.
package jobs

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/content"
	"github.com/mindspace-app/mindspace/services/meditation"
	"github.com/mindspace-app/mindspace/services/user"
)

// Needs are what the workers call.
type Needs struct {
	Pool        *pgxpool.Pool
	Postman     *auth.Postman
	SigningKeys *auth.SigningKeys
	Registry    *personal.Registry
	Erasures    *auth.Erasures
	Exports     *user.Exports
	Content     *content.Admin
	Sessions    *meditation.Service
	Milestones  *meditation.Milestones
	Keyring     *secret.Keyring
	// Sealed is every column that is encrypted under the keyring.
	Sealed []reseal.Column
	Logger *slog.Logger
}

// Workers registers who works on what.
func Workers(n Needs) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &sealAudit{pool: n.Pool, logger: n.Logger})
	river.AddWorker(workers, &retain{pool: n.Pool, registry: n.Registry, logger: n.Logger})
	river.AddWorker(workers, &authUpkeep{keys: n.SigningKeys})
	addLetters(workers, n.Postman)
	addExports(workers, n.Exports)
	addErasures(workers, n.Erasures)
	addContent(workers, n.Content)
	addAbandoned(workers, n.Sessions)
	addPractice(workers, n.Milestones)
	addReseal(workers, n)
	return workers
}
