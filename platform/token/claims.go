package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
)

const (
	// Lifetime is how long a token may be good at most.
	Lifetime = 15 * time.Minute
	// Leeway is how much clocks of two processes may differ: a token is good for that much longer, and already when it
	// comes from that near a future.
	Leeway = time.Minute
	// Horizon is how long a revocation has to be known: no token that it is about is good after that, on any clock.
	Horizon = Lifetime + 2*Leeway

	// audience is who tokens are for.
	audience = "mindspace"
	// tokenType is the typ of an access token (RFC 9068, section 2.1), which tells it from ID tokens and others.
	tokenType = "at+jwt"
	// secondFactor is the amr value (RFC 8176) of a person who used more than one factor.
	secondFactor = "mfa"
	// rolePrefix begins the names of roles in the contract and is left out in tokens.
	rolePrefix = "ROLE_"
)

// Claims is what a token says.
type Claims struct {
	UserID    uuid.UUID
	SessionID uuid.UUID
	// Roles are the staff roles; empty for everyone who is not staff.
	Roles []policyv1.Role
	// IssuedAt is kept to the millisecond, as revocations are compared with it.
	IssuedAt time.Time
	// ExpiresAt is kept in whole seconds, rounded down; at most [Lifetime] after IssuedAt.
	ExpiresAt time.Time
	// AuthenticatedAt is when the person last proved who they are, in whole seconds; zero when that is not known.
	AuthenticatedAt time.Time
	// SecondFactor tells whether they proved it with a second factor too.
	SecondFactor bool
}

// payload is the JSON of the claims.
type payload struct {
	Issuer          string   `json:"iss"`
	Audience        string   `json:"aud"`
	Subject         string   `json:"sub"`
	Session         string   `json:"sid"`
	ID              string   `json:"jti"`
	IssuedAt        int64    `json:"iat"`
	IssuedAtMillis  int64    `json:"iat_ms"`
	NotBefore       int64    `json:"nbf,omitempty"`
	ExpiresAt       int64    `json:"exp"`
	AuthenticatedAt int64    `json:"auth_time,omitempty"`
	Methods         []string `json:"amr,omitempty"`
	Roles           []string `json:"roles,omitempty"`
}

// payload gives the claims as they are signed. It refuses what a verifier would refuse.
func (c Claims) payload(issuer string) (payload, error) {
	p := payload{
		Issuer: issuer, Audience: audience, Subject: c.UserID.String(), Session: c.SessionID.String(), ID: uuid.NewString(),
		IssuedAt: c.IssuedAt.Unix(), IssuedAtMillis: c.IssuedAt.UnixMilli(), ExpiresAt: c.ExpiresAt.Unix(),
	}
	switch life := c.ExpiresAt.Sub(c.IssuedAt); {
	case c.UserID == uuid.Nil || c.SessionID == uuid.Nil:
		return payload{}, errors.New("a token is of a person and a session")
	case c.IssuedAt.Unix() <= 0:
		return payload{}, errors.New("a token has a time of issue")
	case life <= 0 || life > Lifetime:
		return payload{}, fmt.Errorf("a token lives up to %v and not %v", Lifetime, life)
	}
	if !c.AuthenticatedAt.IsZero() {
		p.AuthenticatedAt = c.AuthenticatedAt.Unix()
	}
	if c.SecondFactor {
		p.Methods = []string{secondFactor}
	}
	for _, role := range c.Roles {
		if _, known := policyv1.Role_name[int32(role)]; !known || role == policyv1.Role_ROLE_UNSPECIFIED {
			return payload{}, fmt.Errorf("there is no role %d", role)
		}
		p.Roles = append(p.Roles, strings.ToLower(strings.TrimPrefix(role.String(), rolePrefix)))
	}
	return p, nil
}

// verified is what is remembered of a token whose signature and meaning are good, for as long as it is not expired or revoked.
type verified struct {
	caller identity.Caller
	// issued is when, in ms since 1970.
	issued int64
	// expires is from when on it is not good, Leeway included.
	expires time.Time
	// key is the id of the key that signed it.
	key string
}

// maxSeconds keeps times of a token where arithmetic on them is right.
const maxSeconds = math.MaxInt64 / int64(time.Second) / 2

// verify gives what the payload of a token that we signed says. The error says why the token is refused; an expired one is not.
func (p *payload) verify(issuer, key string, now time.Time) (*verified, error) {
	user, userErr := uuid.Parse(p.Subject)
	session, sessionErr := uuid.Parse(p.Session)
	issued, latest := time.UnixMilli(p.IssuedAtMillis), now.Add(Leeway)
	switch {
	case p.Issuer != issuer:
		return nil, errors.New("another issuer")
	case p.Audience != audience:
		return nil, errors.New("another audience")
	case userErr != nil || user == uuid.Nil:
		return nil, errors.New("no person")
	case sessionErr != nil || session == uuid.Nil:
		return nil, errors.New("no session")
	case p.IssuedAtMillis <= 0 || p.ExpiresAt <= 0 || p.ExpiresAt > maxSeconds || p.IssuedAtMillis > maxSeconds*1000:
		return nil, errors.New("no times")
	case issued.After(latest) || p.NotBefore > latest.Unix():
		return nil, errors.New("from the future")
	case time.Unix(p.ExpiresAt, 0).Sub(issued) > Lifetime:
		return nil, errors.New("lives too long") // a revocation would be forgotten before
	}
	v := &verified{
		caller:  identity.Caller{UserID: user, SessionID: session, SecondFactor: slices.Contains(p.Methods, secondFactor)},
		issued:  p.IssuedAtMillis,
		expires: time.Unix(p.ExpiresAt, 0).Add(Leeway),
		key:     key,
	}
	if p.AuthenticatedAt != 0 {
		v.caller.AuthenticatedAt = time.Unix(p.AuthenticatedAt, 0).UTC()
	}
	for _, name := range p.Roles {
		// A role that this version does not know gives nothing.
		if role := policyv1.Role(policyv1.Role_value[rolePrefix+strings.ToUpper(name)]); role != policyv1.Role_ROLE_UNSPECIFIED {
			v.caller.Roles = append(v.caller.Roles, role)
		}
	}
	return v, nil
}
