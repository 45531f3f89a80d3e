package user

import (
	"context"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// DeleteMe has the caller erased after the cooling-off time. The auth domain, which signing in goes through, keeps the time and can call it off.
// Faults: Unauthenticated (CREDENTIALS_WRONG), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN, SECOND_FACTOR_NEEDED, LAST_ADMIN).
func (s *Service) DeleteMe(ctx context.Context, req *userv1.DeleteMeRequest) (*userv1.DeleteMeResponse, error) {
	res, err := s.Accounts.RequestErasure(ctx, &authv1.RequestErasureRequest{Password: req.GetPassword()})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.DeleteMeResponse{EraseAfter: res.GetEraseAfter(), ErasureId: res.GetErasureId()}, nil
}
