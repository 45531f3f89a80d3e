package auth

import (
	"time"

	"github.com/mindspace-app/mindspace/platform/personal"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// rules say how long sign-in keeps what.
func rules() []personal.Rule {
	return []personal.Rule{
		{
			What: "accounts and how they are signed in to", Table: "auth.accounts", Keep: -1,
			Why: "for as long as the person has the account: they end it themselves, or support does for them",
		},
		{
			What: "tokens in letters, once they have expired", Table: "auth.email_tokens", Past: "expires_at < $1",
			Why: "they prove nothing any more",
		},
		{
			What: "half-done sign-ins, once they have expired", Table: "auth.challenges", Past: "expires_at < $1",
			Why: "nobody can finish them any more",
		},
		{
			What: "half-done sign-ins with a provider, once they have expired", Table: "auth.oidc_flows", Past: "expires_at < $1",
			Why: "nobody can finish them any more",
		},
		{
			What: "counts of wrong guesses, after the last one", Table: "auth.guards", Keep: 2 * day, Past: "updated_at < $1",
			Why: "long enough that nothing of the longest delays is forgotten; they name nobody",
		},
		{
			What: "sessions, after they have expired", Table: "auth.sessions", Keep: 30 * day, Past: "created_at < $1 AND expires_at < $1",
			Why: "until then a token of the session that comes back is known as one that was used",
		},
		{
			What: "networks that a person has signed in from, after the last time", Table: "auth.known_networks", Keep: 90 * day, Past: "last_seen_at < $1",
			Why: "there a person is let in while strangers guess their password, and is not told of a new network",
		},
		{
			What: "security events", Table: "auth.security_events", Keep: year, Past: "created_at < $1",
			Why: "a year back is what its owner may want to look up when something is found out late",
		},
		{
			What: "erasures that were called off, after that", Table: "auth.erasures", Keep: year, Past: "cancelled_at < $1",
			Why: "as the security events that tell of them",
		},
		{
			What: "receipts of erasures, after their completion", Table: "auth.erasures", Keep: 3 * year, Past: "completed_at < $1",
			Why: "for as long as claims are usually brought, we must be able to show that we erased; they name nobody",
		},
	}
}
