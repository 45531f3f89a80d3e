package user_test

import (
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/user"
)

// rig is the user services beside those of sign-in, behind the chain.
type rig struct {
	*authtest.Rig
	t       *testing.T
	blobs   *blob.Bucket
	service *user.Service
	admin   *user.Admin
}

func newRig(t *testing.T, change ...func(*user.Options)) *rig {
	t.Helper()
	r := &rig{Rig: authtest.New(t), t: t, blobs: memblob.OpenBucket(nil)}
	t.Cleanup(func() { _ = r.blobs.Close() })
	options := user.Options{
		Pool: r.Pool, Keys: r.Keys, Queue: r.Queue, Cursors: cursor.New(r.Keys), Blobs: r.blobs, Cache: r.Cache, Logger: r.Logger, Now: r.Clock.Now,
		Accounts:  authv1connect.NewAccountServiceClient(r.Directory.Client(authv1connect.AccountServiceName)),
		Practice:  meditationv1connect.NewPracticeServiceClient(r.Directory.Client(meditationv1connect.PracticeServiceName)),
		PublicURL: authtest.PublicURL, Ages: user.Ages{Default: 16},
	}
	for _, one := range change {
		one(&options)
	}
	r.service = user.New(options)
	r.admin = user.NewAdmin(r.service, authv1connect.NewAccountAdminServiceClient(r.Directory.Client(authv1connect.AccountAdminServiceName)), audit.New(r.Keys))
	userv1connect.RegisterUserServiceHandler(r.Server.Server, r.service)
	userv1connect.RegisterUserAdminServiceHandler(r.Server.Server, r.admin)
	return r
}

// as is a client of somebody who is signed in.
func (r *rig) as(p *authtest.Person) userv1connect.UserServiceClient {
	return userv1connect.NewUserServiceClient(p.Client)
}

// adminAs is a client of a member of staff.
func (r *rig) adminAs(p *authtest.Person) userv1connect.UserAdminServiceClient {
	return userv1connect.NewUserAdminServiceClient(p.Client)
}

var (
	// refused checks that a call failed with a code and a reason.
	refused = authtest.Refused
	// wrongField is the first field that an error names; empty when it names none.
	wrongField = authtest.WrongField
)
