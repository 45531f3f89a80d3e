package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth/refresh"
)

const (
	// refreshLife is how long a refresh token lives; each exchange gives one that lives as long again.
	refreshLife = 7 * 24 * time.Hour
	// refreshGrace is how long after its exchange a refresh token may be presented again.
	refreshGrace = 10 * time.Second
	// recent is how long a sign-in stands in for a password where one is asked for again.
	recent = 5 * time.Minute
	// liveSessions is how many devices one person may be signed in on: as many as ListSessions shows.
	liveSessions = 100
)

// live is a session as tokens are made of it.
type live struct {
	account         uuid.UUID
	roles           []string
	token           refresh.Token
	authenticatedAt time.Time
	secondFactor    bool
	refreshUntil    time.Time
	// asOf is when the access token is issued. It is in the session's row too, so that whatever outdates the person's tokens knows of it.
	asOf time.Time
	// displaced are sessions that had to end for this one.
	displaced []uuid.UUID
}

// issuedAt is the time of an access token that is made of an account held still: now, and after whatever outdated the tokens before, even
// where another process's clock is ahead.
func (o Options) issuedAt(a *account) time.Time {
	now := o.now()
	if outdated := a.AuthAccount.OutdatedAt; outdated != nil && outdated.After(now) {
		return *outdated
	}
	return now
}

// openSession begins a session of a person who has proved who they are, in the transaction of that proof. An erasure that waits for its time is
// called off thereby.
func (s *Service) openSession(ctx context.Context, tx pgx.Tx, a *account, device string, secondFactor bool) (*live, error) {
	q, now := authdb.New(tx), s.issuedAt(a)
	id, err := uid.New()
	if err != nil {
		return nil, err
	}
	device, network := oneLine(device), identity.RequestFrom(ctx).Network()
	if err := s.signedInAgain(ctx, tx, a, device); err != nil {
		return nil, err
	}
	first := s.refreshes.First(id)
	session := &live{
		account: a.AuthAccount.ID, roles: a.Roles, token: first, authenticatedAt: now, secondFactor: secondFactor, refreshUntil: now.Add(refreshLife), asOf: now,
	}
	before, err := q.InsertSession(ctx, authdb.InsertSessionParams{
		AccountID: session.account, ID: id, Device: device, Network: network, Now: now, SecondFactor: secondFactor,
		SecretHash: first.Hash(), ExpiresAt: session.refreshUntil,
	})
	if err != nil {
		return nil, fmt.Errorf("insert session: %w", err)
	}
	if before >= liveSessions {
		session.displaced, err = q.EndSurplusSessions(ctx, authdb.EndSurplusSessionsParams{AccountID: session.account, Now: now, Kept: liveSessions})
		if err != nil {
			return nil, fmt.Errorf("end surplus sessions: %w", err)
		}
	}
	if network == nil {
		return session, nil
	}
	unfamiliar, err := q.KnowNetwork(ctx, authdb.KnowNetworkParams{AccountID: session.account, Network: *network, Now: now})
	if err != nil {
		return nil, fmt.Errorf("remember network: %w", err)
	}
	if unfamiliar {
		return session, s.recordEvent(ctx, tx, session.account, eventNewDevice, device)
	}
	return session, nil
}

// tokens makes the pair of a session. Call it after the commit.
func (s *Service) tokens(ctx context.Context, session *live) (*authv1.Tokens, error) {
	s.Revocations.EndSessions(ctx, session.displaced...)
	claims := token.Claims{
		UserID: session.account, SessionID: session.token.Session, Roles: s.countingRoles(session),
		IssuedAt: session.asOf, ExpiresAt: session.asOf.Add(token.Lifetime), AuthenticatedAt: session.authenticatedAt, SecondFactor: session.secondFactor,
	}
	access, err := s.Signer.Sign(ctx, claims)
	if err != nil {
		return nil, fmt.Errorf("sign access token: %w", err)
	}
	return &authv1.Tokens{
		AccessToken: access, RefreshToken: s.refreshes.Encode(session.token),
		AccessExpiresAt: timestamppb.New(claims.ExpiresAt), RefreshExpiresAt: timestamppb.New(session.refreshUntil),
	}, nil
}

// countingRoles are the staff roles that count in a session: outside the demo none without a second factor.
func (s *Service) countingRoles(session *live) []policyv1.Role {
	if s.rolesWithheld(session) {
		return nil
	}
	return roles(session.roles)
}

func (s *Service) rolesWithheld(session *live) bool {
	return len(session.roles) > 0 && !session.secondFactor && !s.Demo
}

// endSessions ends every session of a person in the transaction; give the ids to Revocations after the commit.
func (s *Service) endSessions(ctx context.Context, tx pgx.Tx, person uuid.UUID, reason string) ([]uuid.UUID, error) {
	ids, err := authdb.New(tx).EndSessions(ctx, authdb.EndSessionsParams{AccountID: person, Now: s.now(), Reason: reason})
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return ids, nil
}

// LogoutEverywhere ends every session of the caller.
func (s *Service) LogoutEverywhere(ctx context.Context, _ *authv1.LogoutEverywhereRequest) (*authv1.LogoutEverywhereResponse, error) {
	caller := identity.CallerFrom(ctx)
	var ended []uuid.UUID
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		if _, err := authdb.New(tx).LockAccount(ctx, caller.UserID); err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		if ended, err = s.endSessions(ctx, tx, caller.UserID, "logout_everywhere"); err != nil {
			return err
		}
		return s.recordEvent(ctx, tx, caller.UserID, eventSessionsEnded, "")
	})
	if err != nil {
		return nil, err
	}
	s.Revocations.EndSessions(ctx, ended...)
	return &authv1.LogoutEverywhereResponse{}, nil
}

// ListSessions returns the live sessions of the caller.
func (s *Service) ListSessions(ctx context.Context, _ *authv1.ListSessionsRequest) (*authv1.ListSessionsResponse, error) {
	caller := identity.CallerFrom(ctx)
	rows, err := authdb.New(s.Pool).ListSessions(ctx, authdb.ListSessionsParams{AccountID: caller.UserID, Now: s.now()})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	res := &authv1.ListSessionsResponse{}
	for _, row := range rows {
		res.Sessions = append(res.Sessions, &authv1.Session{
			Id: row.ID.String(), Device: row.Device, CreatedAt: timestamppb.New(row.CreatedAt), LastSeenAt: timestamppb.New(row.LastSeenAt),
			Current: row.ID == caller.SessionID, SecondFactor: row.SecondFactor, Network: networkText(row.Network),
		})
	}
	return res, nil
}

// RevokeSession ends one session of the caller. Faults: NotFound, also for somebody else's.
func (s *Service) RevokeSession(ctx context.Context, req *authv1.RevokeSessionRequest) (*authv1.RevokeSessionResponse, error) {
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	n, err := authdb.New(s.Pool).EndSession(ctx, authdb.EndSessionParams{
		AccountID: identity.CallerFrom(ctx).UserID, ID: id, Now: s.now(), Reason: "revoked",
	})
	if err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	if n == 0 {
		return nil, fault.NotFound("there is no live session %s", id)
	}
	s.Revocations.EndSessions(ctx, id)
	return &authv1.RevokeSessionResponse{}, nil
}

// oneLine makes text of a person fit to be shown in a line: whatever breaks or hides a line becomes a blank. The joiners that emoji and
// Persian names are written with stay.
func oneLine(text string) string {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner
	}), " ")
}
