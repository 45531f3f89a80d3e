package rpc

import "github.com/mindspace-app/mindspace/platform/personal"

// Personal is what this room holds about a person, and how long.
func Personal() personal.Domain {
	return personal.Domain{
		Name: "rpc",
		Tables: []personal.Table{{
			Name: "rpc.idempotency_keys", What: "answers to your latest calls, kept for retries", Owner: "person_id",
			NotExported: "they are encrypted copies of what you were sent within the last day, and hold nothing that is not elsewhere",
		}},
		Rules: []personal.Rule{{
			What: "answers to calls with an idempotency key, a day after the call", Table: "rpc.idempotency_keys", Past: "expires_at < $1",
			Why: "a retry gets the same answer for a day",
		}},
	}
}
