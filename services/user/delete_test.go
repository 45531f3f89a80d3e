package user_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

func TestDeleteMe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	_, err := userv1connect.NewUserServiceClient(r.Client("")).DeleteMe(t.Context(), &userv1.DeleteMeRequest{Password: authtest.Password})
	if connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	_, err = r.as(ana).DeleteMe(t.Context(), &userv1.DeleteMeRequest{Password: "another horse battery"})
	refused(t, "a wrong password", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	r.Clock.Advance(6 * time.Minute)
	_, err = r.as(ana).DeleteMe(t.Context(), &userv1.DeleteMeRequest{})
	refused(t, "no password, and a sign-in of long ago", err, connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")

	res, err := r.as(ana).DeleteMe(t.Context(), &userv1.DeleteMeRequest{Password: authtest.Password})
	if err != nil {
		t.Fatal(err)
	}
	if due := res.GetEraseAfter().AsTime(); due.Before(r.Clock.Now().Add(6*24*time.Hour)) || due.After(r.Clock.Now().Add(8*24*time.Hour)) {
		t.Errorf("it is due at %s", due)
	}
	if _, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the session goes on: %v", err)
	}
	state := func() authv1.ErasureState {
		t.Helper()
		res, err := authv1connect.NewAccountServiceClient(r.Client("")).GetErasure(t.Context(), &authv1.GetErasureRequest{ErasureId: res.GetErasureId()})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetErasure().GetState()
	}
	if got := state(); got != authv1.ErasureState_ERASURE_STATE_SCHEDULED {
		t.Errorf("it is %v", got)
	}
	ana = r.Login(ana)
	if got := state(); got != authv1.ErasureState_ERASURE_STATE_CANCELLED {
		t.Errorf("after signing in it is %v", got)
	}
	if _, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{}); err != nil {
		t.Errorf("after signing in: %v", err)
	}
}
