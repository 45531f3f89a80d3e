package user

import (
	"context"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// What is done to an account is the auth domain's, which checks that the caller may, and records it.

// SuspendUser keeps a person out. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (LAST_ADMIN).
func (a *Admin) SuspendUser(ctx context.Context, req *userv1.SuspendUserRequest) (*userv1.SuspendUserResponse, error) {
	if _, err := a.accounts.SuspendAccount(ctx, &authv1.SuspendAccountRequest{UserId: req.GetUserId(), Reason: req.GetReason()}); err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.SuspendUserResponse{}, nil
}

// ResumeUser lets a suspended person in again. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) ResumeUser(ctx context.Context, req *userv1.ResumeUserRequest) (*userv1.ResumeUserResponse, error) {
	if _, err := a.accounts.ResumeAccount(ctx, &authv1.ResumeAccountRequest{UserId: req.GetUserId(), Reason: req.GetReason()}); err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.ResumeUserResponse{}, nil
}

// EndSessions signs a person out everywhere. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) EndSessions(ctx context.Context, req *userv1.EndSessionsRequest) (*userv1.EndSessionsResponse, error) {
	res, err := a.accounts.EndAccountSessions(ctx, &authv1.EndAccountSessionsRequest{UserId: req.GetUserId(), Reason: req.GetReason()})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.EndSessionsResponse{Ended: res.GetEnded()}, nil
}

// StartErasure starts the erasure of a person. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (LAST_ADMIN).
func (a *Admin) StartErasure(ctx context.Context, req *userv1.StartErasureRequest) (*userv1.StartErasureResponse, error) {
	res, err := a.accounts.RequestAccountErasure(ctx, &authv1.RequestAccountErasureRequest{UserId: req.GetUserId(), Reason: req.GetReason()})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.StartErasureResponse{ErasureId: res.GetErasureId(), EraseAfter: res.GetEraseAfter()}, nil
}

// CancelErasure calls an erasure off. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (NO_ERASURE).
func (a *Admin) CancelErasure(ctx context.Context, req *userv1.CancelErasureRequest) (*userv1.CancelErasureResponse, error) {
	if _, err := a.accounts.CancelAccountErasure(ctx, &authv1.CancelAccountErasureRequest{UserId: req.GetUserId(), Reason: req.GetReason()}); err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.CancelErasureResponse{}, nil
}
