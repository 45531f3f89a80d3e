package personal

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// scanBatch is how many keys of Redis are looked at in one step.
const scanBatch = 1000

// Forget drops what caches and counters know of a person: each domain's caches, then every key in Redis that has the id in its name.
// It looks through all keys there are, so it is for erasures and not for requests.
func (r *Registry) Forget(ctx context.Context, rdb redis.UniversalClient, person uuid.UUID) (Touched, error) {
	line := Touched{Kind: "cache", Name: "redis", Action: "deleted"}
	for _, d := range r.domains {
		if d.Forget != nil {
			d.Forget(ctx, person)
		}
	}
	keys := rdb.Scan(ctx, 0, "*"+person.String()+"*", scanBatch).Iterator()
	for keys.Next(ctx) {
		n, err := rdb.Unlink(ctx, keys.Val()).Result()
		if err != nil {
			return line, fmt.Errorf("forget a person in Redis: %w", err)
		}
		line.Count += n
	}
	if err := keys.Err(); err != nil {
		return line, fmt.Errorf("forget a person in Redis: %w", err)
	}
	return line, nil
}
