package user_test

import (
	"errors"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

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

// refused checks that a call failed with a code and a reason.
func refused(t *testing.T, what string, err error, code connect.Code, reason string) {
	t.Helper()
	var got string
	if info := detail[*errdetails.ErrorInfo](err); info != nil {
		got = info.GetReason()
	}
	if connect.CodeOf(err) != code || got != reason {
		t.Errorf("%s: got %v (reason %q), want %v with %s", what, err, got, code, reason)
	}
}

// wrongField is the first field that an error names; empty when it names none.
func wrongField(err error) string {
	bad := detail[*errdetails.BadRequest](err)
	if len(bad.GetFieldViolations()) == 0 {
		return ""
	}
	return bad.GetFieldViolations()[0].GetField()
}

// detail finds a detail of an error; nil when it has none of that type.
func detail[M proto.Message](err error) M {
	var none M
	var c *connect.Error
	if !errors.As(err, &c) {
		return none
	}
	for _, d := range c.Details() {
		if msg, err := connectproto.UnmarshalErrorDetail(d); err == nil {
			if found, ok := msg.(M); ok {
				return found
			}
		}
	}
	return none
}
