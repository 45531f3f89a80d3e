package audit

import (
	"context"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/identity"
)

// The kinds of actor; migrations/00001_audit.sql has the same list.
const (
	actorUser      = "user"
	actorStaff     = "staff"
	actorPartner   = "partner"
	actorService   = "service"
	actorSystem    = "system"
	actorAnonymous = "anonymous"
)

const maxActorIDSize = 200

// actor is who did it.
type actor struct {
	kind  string
	id    string
	roles []string
}

// actorFrom names the caller of the context. Whoever calls without being known in a request is anonymous; where there
// is no request either, as in a job, it is the system itself.
func actorFrom(ctx context.Context) actor {
	c := identity.CallerFrom(ctx)
	a := actor{roles: []string{}}
	switch {
	case c.UserID != uuid.Nil && len(c.Roles) > 0:
		a.kind, a.id = actorStaff, c.UserID.String()
		for _, role := range c.Roles {
			a.roles = append(a.roles, strings.ToLower(strings.TrimPrefix(role.String(), "ROLE_")))
		}
	case c.UserID != uuid.Nil:
		a.kind, a.id = actorUser, c.UserID.String()
	case c.Partner != "":
		a.kind, a.id = actorPartner, clean(c.Partner, maxActorIDSize)
	case c.Service != "":
		a.kind, a.id = actorService, clean(c.Service, maxActorIDSize)
	default:
		a.kind = actorSystem
		if r := identity.RequestFrom(ctx); r.ID != "" || r.Address.IsValid() {
			a.kind = actorAnonymous
		}
	}
	return a
}

// clean makes text that came from outside fit to be stored: valid UTF-8, no control characters, at most size bytes.
func clean(text string, size int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > size {
		text = strings.ToValidUTF8(text[:size], "")
	}
	return text
}
