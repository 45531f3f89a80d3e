package auth_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// challenge is Ana's, whose password was right.
func (r *rig) challenge() string {
	r.t.Helper()
	login := r.login("ana@example.org")
	if login.GetTokens() != nil || login.GetSecondFactor().GetChallengeId() == "" {
		r.t.Fatalf("no second factor is asked for: %v", login)
	}
	return login.GetSecondFactor().GetChallengeId()
}

func (r *rig) finishFactor(challenge, code string) error {
	_, err := r.client.FinishSecondFactor(r.from("192.0.2.1"), &authv1.FinishSecondFactorRequest{ChallengeId: challenge, Code: code})
	return err
}

func (r *rig) mustFinish(challenge, code string) *authv1.Tokens {
	r.t.Helper()
	res, err := r.client.FinishSecondFactor(r.from("192.0.2.1"), &authv1.FinishSecondFactorRequest{ChallengeId: challenge, Code: code})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetTokens()
}

func TestSignInWithACode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.withTotp(r.register("ana@example.org").GetTokens())
	login := r.login("ana@example.org")
	methods := []authv1.SecondFactorMethod{authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_TOTP, authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_RECOVERY_CODE}
	if login.GetTokens() != nil || login.GetRolesWithheld() || !slices.Equal(login.GetSecondFactor().GetMethods(), methods) {
		t.Fatalf("login: %v", login)
	}
	challenge := login.GetSecondFactor().GetChallengeId()
	refused(t, "a wrong code", r.finishFactor(challenge, "abcdef"), connect.CodeUnauthenticated, "CODE_WRONG")
	tokens := r.mustFinish(challenge, a.next())
	if !saysSecondFactor(t, tokens) || !saysSecondFactor(t, r.refresh(tokens)) {
		t.Error("the access tokens do not tell of the second factor")
	}
	if session := r.currentSession(tokens); !session.GetSecondFactor() || session.GetDevice() != "phone" {
		t.Errorf("session: %v", session)
	}
	refused(t, "the challenge a second time", r.finishFactor(challenge, a.next()), connect.CodeUnauthenticated, "CHALLENGE_GONE")
}

func TestChallengesThatAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.withTotp(r.register("ana@example.org").GetTokens())
	passkey := r.beginPasskeyLogin("").GetChallengeId()
	for name, challenge := range map[string]string{"nobody's": "x", "null bytes": "\x00", "SQL": "' OR 1=1 --", "of another kind": passkey} {
		refused(t, name, r.finishFactor(challenge, a.code(0)), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	}
	for field, req := range map[string]*authv1.FinishSecondFactorRequest{"challengeId": {Code: "1"}, "code": {ChallengeId: "1"}} {
		_, err := r.client.FinishSecondFactor(t.Context(), req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != field {
			t.Errorf("%s is missing: %v", field, err)
		}
	}
	challenge := r.challenge()
	r.clock.advance(5 * time.Minute)
	refused(t, "after five minutes", r.finishFactor(challenge, a.code(0)), connect.CodeUnauthenticated, "CHALLENGE_GONE")

	challenge = r.challenge()
	r.exec("UPDATE auth.accounts SET state = 'suspended'")
	refused(t, "suspended meanwhile", r.finishFactor(challenge, a.next()), connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
}

// Whoever looks over a shoulder must not get in with the code that they saw.
func TestEachCodeCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.withTotp(r.register("ana@example.org").GetTokens())
	challenge := r.challenge()
	refused(t, "the code that confirmed", r.finishFactor(challenge, a.code(0)), connect.CodeUnauthenticated, "CODE_WRONG")
	refused(t, "the one before it", r.finishFactor(challenge, a.code(-period)), connect.CodeUnauthenticated, "CODE_WRONG")
	r.mustFinish(challenge, a.code(period))
	challenge = r.challenge()
	refused(t, "the code that signed in", r.finishFactor(challenge, a.code(period)), connect.CodeUnauthenticated, "CODE_WRONG")
	r.clock.advance(period)
	refused(t, "the same in its own period", r.finishFactor(challenge, a.code(0)), connect.CodeUnauthenticated, "CODE_WRONG")
	r.mustFinish(challenge, a.next())
}

func TestOneCodeAtOnce(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	r := processes[0]
	a, codes := r.withTotp(r.register("ana@example.org").GetTokens())
	for round := range 4 {
		code := a.next()
		if round%2 == 1 {
			code = codes[round]
		}
		challenges := []string{r.challenge(), r.challenge()}
		if round > 1 { // or one challenge
			challenges[1] = challenges[0]
		}
		var all sync.WaitGroup
		var in atomic.Int32
		for i, challenge := range challenges {
			all.Go(func() {
				err := processes[i].finishFactor(challenge, code)
				if err == nil {
					in.Add(1)
				} else if connect.CodeOf(err) != connect.CodeUnauthenticated {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("round %d: %d came in with one code", round, in.Load())
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	_, codes := r.withTotp(tokens)
	for i, spelt := range []string{
		codes[0], strings.ToLower(codes[1]), strings.ReplaceAll(codes[2], "-", ""), " " + strings.ReplaceAll(codes[3], "-", " ") + " ",
		strings.ReplaceAll(codes[4], "-", " - "), codes[5], codes[6], codes[7], codes[8],
	} {
		challenge := r.challenge()
		if !saysSecondFactor(t, r.mustFinish(challenge, spelt)) {
			t.Errorf("code %d: no second factor", i)
		}
		challenge = r.challenge()
		refused(t, "a second time", r.finishFactor(challenge, spelt), connect.CodeUnauthenticated, "CODE_WRONG")
		if left := r.methods(tokens).GetRecoveryCodesLeft(); int(left) != 9-i {
			t.Errorf("%d codes are left, want %d", left, 9-i)
		}
	}
	if events := r.events(tokens); !strings.HasPrefix(events, "recovery_code_used recovery_code_used") {
		t.Errorf("events: %s", events)
	}
	var kept []byte
	if err := r.pool.QueryRow(t.Context(), "SELECT hash FROM auth.recovery_codes").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 32 || strings.EqualFold(string(kept), codes[9]) {
		t.Errorf("kept is %s", hex.EncodeToString(kept))
	}
	r.mustFinish(r.challenge(), codes[9])
	if methods := r.login("ana@example.org").GetSecondFactor().GetMethods(); !slices.Equal(methods, []authv1.SecondFactorMethod{authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_TOTP}) {
		t.Errorf("methods without a code left: %v", methods)
	}
}

// Wrong codes end the challenge, and delay the next guess whichever challenge it answers.
func TestWrongCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	a, _ := r.withTotp(tokens)
	challenge, other := r.challenge(), r.challenge()
	for range 5 {
		refused(t, "wrong", r.finishFactor(challenge, "WRONG"), connect.CodeUnauthenticated, "CODE_WRONG")
	}
	good := a.code(period)
	for name, err := range map[string]error{
		"the challenge":           r.finishFactor(challenge, good),
		"another":                 r.finishFactor(other, good),
		"one after":               r.finishFactor(r.challenge(), good),
		"switching it off":        r.disable(tokens, good),
		"a code that is wrong":    r.finishFactor(other, "WRONG"),
		"a code of other letters": r.finishFactor(other, "ABCD-EFGH-IJKL-MNOP"),
	} {
		refused(t, name, err, connect.CodeResourceExhausted, "GUESSES_DELAYED")
		if wait := authtest.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); wait <= 0 || wait > 2*time.Second {
			t.Errorf("%s: wait %v", name, wait)
		}
	}
	r.clock.advance(2 * time.Second)
	refused(t, "the challenge after the delay", r.finishFactor(challenge, good), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	r.mustFinish(other, good)
	r.clock.advance(period)
	challenge = r.challenge()
	refused(t, "wrong after a right one", r.finishFactor(challenge, "WRONG"), connect.CodeUnauthenticated, "CODE_WRONG")
	r.mustFinish(challenge, a.next())
}

// Many guesses side by side, over two processes, are looked at no more often than one after the other.
func TestWrongCodesAtOnce(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	r := processes[0]
	r.withTotp(r.register("ana@example.org").GetTokens())
	var challenges []string
	for range 5 {
		challenges = append(challenges, r.challenge())
	}
	var all sync.WaitGroup
	var wrong atomic.Int32
	for i := range 50 {
		all.Go(func() {
			switch err := processes[i%2].finishFactor(challenges[i%5], "WRONG"); connect.CodeOf(err) {
			case connect.CodeUnauthenticated:
				if info := authtest.Detail[*errdetails.ErrorInfo](err); info.GetReason() == "CODE_WRONG" {
					wrong.Add(1)
				}
			case connect.CodeResourceExhausted:
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if wrong.Load() != 5 {
		t.Errorf("%d guesses were told to be wrong", wrong.Load())
	}
}

// Of fifty codes at once, over two processes and several challenges, one is right: it is either among the first five or comes within a delay.
func TestRightCodeAmongParallelGuesses(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	a, _ := processes[0].withTotp(processes[0].register("ana@example.org").GetTokens())
	challenges := make([]string, 12)
	for i := range challenges {
		challenges[i] = processes[0].challenge()
	}
	right := a.next()
	var wrong, let, delayed atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			code := fmt.Sprintf("%06d", i)
			if i == 40 {
				code = right
			}
			err := processes[i%2].finishFactor(challenges[i%len(challenges)], code)
			switch {
			case err == nil:
				let.Add(1)
			case connect.CodeOf(err) == connect.CodeResourceExhausted:
				delayed.Add(1)
			default:
				wrong.Add(1)
			}
		})
	}
	all.Wait()
	// A right one clears what was counted, so five may be wrong before it and five after it.
	if wrong.Load() > 5+5*let.Load() || let.Load() > 1 || wrong.Load()+let.Load()+delayed.Load() != 50 {
		t.Errorf("%d wrong, %d let in, %d delayed", wrong.Load(), let.Load(), delayed.Load())
	}
}

// A stolen password and a session from before the second factor add no other factor.
func TestFactorsGuardFactors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	thief := r.register("ana@example.org").GetTokens()
	owner := r.login("ana@example.org").GetTokens()
	r.withTotp(owner)
	_, err := r.as(thief).BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{Password: goodPassword})
	refused(t, "the thief", err, connect.CodeFailedPrecondition, "SECOND_FACTOR_NEEDED")
	if _, err := r.as(r.refresh(owner)).BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{Password: goodPassword}); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// A session that has ended adds no factor, though its access token may not be known to be void yet.
func TestEndedSessionAddsNoFactor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	a := r.enroll(tokens)
	if _, err := r.pool.Exec(t.Context(), "UPDATE auth.sessions SET ended_at = now(), end_reason = 'revoked'"); err != nil {
		t.Fatal(err)
	}
	refused(t, "confirmation", r.confirm(tokens, a.next()), connect.CodeUnauthenticated, "SESSION_ENDED")
	if methods := r.methods(r.login("ana@example.org").GetTokens()); methods.GetTotp() {
		t.Error("the factor is there all the same")
	}
}
