// Package jobs is where work that happens after the answer is picked up: thin River workers that call a service or a platform room.
// Who listens to what stands in this file, every schedule in periodic.go. No rule of the business lives here.
package jobs

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/services/auth"
)

// Needs are what the workers call.
type Needs struct {
	Pool    *pgxpool.Pool
	Answers *rpc.Answers
	Postman *auth.Postman
	Keys    *auth.SigningKeys
	Logger  *slog.Logger
}

// Workers registers who works on what.
func Workers(n Needs) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &sealAudit{pool: n.Pool, logger: n.Logger})
	river.AddWorker(workers, &purgeIdempotencyKeys{answers: n.Answers, logger: n.Logger})
	river.AddWorker(workers, &authUpkeep{pool: n.Pool, keys: n.Keys, logger: n.Logger})
	addLetters(workers, n.Postman)
	return workers
}
