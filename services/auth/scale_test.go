package auth_test

import (
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestMadeUpAccountsSignInOutsideOfProduction(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r, production := installation.process(t, inDemo), installation.process(t)
	const email, free = "user000001@scale.test", "user000002@scale.test"
	hash, err := r.service.Hasher.Hash(t.Context(), auth.DemoPassword)
	if err != nil {
		t.Fatal(err)
	}
	now := r.clock.Now()
	made := auth.ScaleAccount{ID: uid.At(now, 1, 1), Email: email, DisplayName: "Ana", Locale: "sr", TimeZone: "Europe/Belgrade", CreatedAt: now}
	store := func() error {
		return postgres.InTx(t.Context(), r.service.Pool, func(tx pgx.Tx) error {
			_, err := auth.CopyScale(t.Context(), tx, []auth.ScaleAccount{made}, hash)
			return err
		})
	}
	if err := store(); err != nil {
		t.Fatal(err)
	}
	if err := store(); err == nil {
		t.Error("one address has two accounts")
	}
	res, err := r.demoLogin(email)
	if err != nil {
		t.Fatal(err)
	}
	if caller := r.personOf(res.GetTokens()); caller.GetUserId() != made.ID.String() {
		t.Errorf("signed in as %v", caller)
	}
	_, err = production.demoLogin(email)
	refused(t, "in production", err, connect.CodePermissionDenied, "DEMO_ACCOUNT")
	taken, err := auth.TakenEmails(t.Context(), r.service.Pool, []string{email, free})
	if err != nil || !taken[email] || taken[free] {
		t.Errorf("taken: %v, %v", taken, err)
	}
}
