// Package user is a person's own data: profile, health profile, consents, a copy of everything, and its end. How a person signs in, is reached and
// addressed is the auth domain's, which this one asks with the caller's own token.
// It never shows health data to anyone but its owner, unless support gives a reason that is recorded; it never puts any into Redis, a job or a log.
package user

import (
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// Options are what the service needs, and what an operator decides.
type Options struct {
	Pool    *pgxpool.Pool
	Keys    *secret.Keyring
	Queue   *queue.Client
	Cursors *cursor.Codec
	Blobs   *blob.Bucket
	Cache   *cache.Store
	Logger  *slog.Logger
	Now     func() time.Time
	// Accounts is the auth domain, asked for the caller.
	Accounts authv1connect.AccountServiceClient
	// Practice is the meditation domain, asked for the caller's statistics.
	Practice meditationv1connect.PracticeServiceClient
	// Encodings keeps the JSON of answers from the cache; nil for none.
	Encodings *rpc.Encodings
	// PublicURL is where browsers and apps find this program, without a slash at the end.
	PublicURL string
	// Ages are the minimum ages by country.
	Ages Ages
}

// Service is mindspace.user.v1.UserService.
type Service struct {
	Options
	users *cache.Cache[*userv1.GetMeResponse]
}

var _ userv1connect.UserServiceHandler = (*Service)(nil)

// New returns the service. It connects to nothing.
func New(o Options) *Service { return &Service{Options: o, users: newUsers(o.Cache)} }

// Admin is mindspace.user.v1.UserAdminService.
type Admin struct {
	Options
	service  *Service
	accounts authv1connect.AccountAdminServiceClient
	audit    *audit.Log
}

var _ userv1connect.UserAdminServiceHandler = (*Admin)(nil)

// NewAdmin returns the service beside the one that people use; accounts is the auth domain, asked for the member of staff who calls.
func NewAdmin(s *Service, accounts authv1connect.AccountAdminServiceClient, log *audit.Log) *Admin {
	return &Admin{Options: s.Options, service: s, accounts: accounts, audit: log}
}

// now is the time as the database keeps it.
func (o Options) now() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }
