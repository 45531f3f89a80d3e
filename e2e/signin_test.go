package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

const (
	ana          = "ana@demo.test"
	demoPassword = "demo-Password-1"
)

// auth is a generated client of the program; headers go with each call.
func (p *program) auth(headers ...string) authv1connect.AuthServiceClient {
	return authv1connect.NewAuthServiceClient(connect.NewClient(
		connecthttp.NewTransport(&http.Client{Timeout: 30 * time.Second}, p.url, connecthttp.WithProtoJSON()),
		func(next connect.ClientFunc) connect.ClientFunc {
			return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
				if info, ok := connect.CallInfoForClientContext(ctx); ok {
					for i := 0; i+1 < len(headers); i += 2 {
						info.RequestHeader().Set(headers[i], headers[i+1])
					}
				}
				return next(ctx, spec)
			}
		}))
}

func (p *program) as(tokens *authv1.Tokens) authv1connect.AuthServiceClient {
	return p.auth("Authorization", "Bearer "+tokens.GetAccessToken())
}

func login(t *testing.T, p *program, email string) *authv1.Tokens {
	t.Helper()
	res, err := p.auth().Login(t.Context(), &authv1.LoginRequest{Email: email, Password: demoPassword, Device: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetTokens()
}

// two are two programs, each all in one, on one database and one Redis, whose line can be cut.
func two(t *testing.T) (a, b *program, redis *line) {
	t.Helper()
	redis, redisURL := newLine(t, redistest.New(t))
	// These tests ask for more than one address may: what they look at are the limits of methods.
	env := []string{"DATABASE_URL=" + pgtest.Empty(t), "REDIS_URL=" + redisURL, "ADDRESS_PER_SECOND=10000"}
	start := func() *program {
		p := run(t, env, "up", "--addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0", "--data="+folder(t))
		await(t, p, "up to be ready", func() bool {
			found, ops := catalogueLine.FindStringSubmatch(p.out.String()), metricsLine.FindStringSubmatch(p.out.String())
			if found != nil && ops != nil {
				p.url, p.opsURL = found[1], ops[1]
			}
			return p.opsURL != ""
		})
		return p
	}
	return start(), start(), redis
}

// Two processes are one installation: what one of them signs, ends, counts and delays, the other knows.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	a, b, redis := two(t)

	t.Run("a token of one is good at the other, and ended within a second", func(t *testing.T) {
		tokens := login(t, a, ana)
		if _, err := b.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.auth().Logout(t.Context(), &authv1.LogoutRequest{RefreshToken: tokens.GetRefreshToken()}); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, func() bool {
			_, err := b.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
			return connect.CodeOf(err) == connect.CodeUnauthenticated
		})
	})
	t.Run("fifty refreshes of one token leave one child", func(t *testing.T) {
		token := login(t, a, ana).GetRefreshToken()
		children := sync.Map{}
		both(t, 50, a, b, func(p *program, _ int) {
			res, err := p.auth().Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: token})
			if err != nil {
				t.Error(err)
				return
			}
			children.Store(res.GetTokens().GetRefreshToken(), true)
		})
		n := 0
		children.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d children", n)
		}
	})
	t.Run("a person's limit holds across both within 5 %", func(t *testing.T) {
		tokens := login(t, a, ana)
		const quota = 120 // ListSessions, a minute
		var served atomic.Int32
		begin := time.Now()
		both(t, 2*quota, a, b, func(p *program, _ int) {
			_, err := p.as(tokens).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
			switch {
			case err == nil:
				served.Add(1)
			case connect.CodeOf(err) != connect.CodeResourceExhausted || retryAfter(err) <= 0:
				t.Errorf("refused with %v", err)
			}
		})
		refilled := time.Since(begin).Seconds() * quota / 60
		if got := float64(served.Load()); got < quota*0.95 || got > quota*1.05+refilled {
			t.Errorf("%v calls were served; the quota is %d, and %.1f came back meanwhile", got, quota, refilled)
		}
	})
	t.Run("a made-up X-Forwarded-For is no other address", func(t *testing.T) {
		refusals := 0
		for n := range 25 { // 10 a minute
			_, err := a.auth("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", n)).RequestPasswordReset(t.Context(), &authv1.RequestPasswordResetRequest{Email: "nobody@demo.test"})
			if connect.CodeOf(err) == connect.CodeResourceExhausted {
				refusals++
			}
		}
		if refusals < 13 {
			t.Errorf("%d of 25 were refused", refusals)
		}
	})
	t.Run("of fifty guesses at once over both few are looked at", func(t *testing.T) {
		for _, email := range []string{ana, "nobody@demo.test"} {
			var wrong, delayed atomic.Int32
			both(t, 50, a, b, func(p *program, n int) {
				_, err := p.auth().Login(t.Context(), &authv1.LoginRequest{Email: email, Password: fmt.Sprintf("wrong guess no. %d", n)})
				switch connect.CodeOf(err) {
				case connect.CodeUnauthenticated:
					wrong.Add(1)
				case connect.CodeResourceExhausted:
					delayed.Add(1)
					if retryAfter(err) <= 0 {
						t.Errorf("no RetryInfo: %v", err)
					}
				default:
					t.Error(err)
				}
			})
			// Five, and on a slow machine one more for each delay that ends before the last hash is done.
			if n := wrong.Load(); n < 5 || n > 10 || n+delayed.Load() != 50 {
				t.Errorf("%s: %d wrong, %d delayed", email, wrong.Load(), delayed.Load())
			}
		}
	})
	t.Run("without Redis tokens are good and limits hold", func(t *testing.T) {
		tokens := login(t, b, "reviewer@demo.test")
		redis.cut()
		refusals := 0
		for range 300 {
			_, err := b.as(tokens).ListSecurityEvents(t.Context(), &authv1.ListSecurityEventsRequest{}) // 120 a minute
			switch {
			case connect.CodeOf(err) == connect.CodeResourceExhausted:
				refusals++
			case err != nil:
				t.Fatal(err)
			}
		}
		if refusals < 100 {
			t.Errorf("%d of 300 were refused", refusals)
		}
		within(t, 5*time.Second, func() bool { return metric(t, b, "mindspace_token_unchecked_total") > 0 })
		// What ends now is ended everywhere once Redis is back.
		if _, err := a.auth().Logout(t.Context(), &authv1.LogoutRequest{RefreshToken: tokens.GetRefreshToken()}); err != nil {
			t.Fatal(err)
		}
		redis.mend()
		within(t, 15*time.Second, func() bool {
			_, err := b.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
			return connect.CodeOf(err) == connect.CodeUnauthenticated
		})
	})
	t.Run("hostile headers", func(t *testing.T) {
		none := "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiIwMTk4MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMGEwYTAifQ."
		status, body := request(t, http.MethodPost, a.url+"/mindspace.auth.v1.AuthService/GetCaller", http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + none}}, `{}`)
		if status != http.StatusUnauthorized || !strings.Contains(body, "TOKEN_INVALID") {
			t.Errorf("alg=none: %d %s", status, body)
		}
		status, _ = request(t, http.MethodPost, a.url+"/mindspace.auth.v1.AuthService/GetCaller", http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + strings.Repeat("x", 1<<20)}}, `{}`)
		if status != http.StatusRequestHeaderFieldsTooLarge && status != 0 {
			t.Errorf("a header of 1 MB: %d", status)
		}
	})
	t.Run("keys of access tokens are published", func(t *testing.T) {
		status, body := get(t, b.url+"/.well-known/jwks.json")
		if status != http.StatusOK || !strings.Contains(body, `"kty":"EC"`) || strings.Contains(body, `"d":`) {
			t.Errorf("%d %s", status, body)
		}
	})
}

// both runs n calls at once, by turns at the two programs.
func both(t *testing.T, n int, a, b *program, call func(p *program, n int)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { call([]*program{a, b}[i%2], i) })
	}
	all.Wait()
}

// within waits for something that must come true in time.
func within(t *testing.T, patience time.Duration, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(25 * time.Millisecond) // asking without a pause would use up what the address may ask
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v", patience)
		}
		<-tick.C
	}
}

// retryAfter is the delay that an error names; 0 when it names none.
func retryAfter(err error) time.Duration {
	var c *connect.Error
	if !errors.As(err, &c) {
		return 0
	}
	for _, d := range c.Details() {
		if msg, err := connectproto.UnmarshalErrorDetail(d); err == nil {
			if info, ok := msg.(*errdetails.RetryInfo); ok {
				return info.GetRetryDelay().AsDuration()
			}
		}
	}
	return 0
}

// metric reads a metric without labels.
func metric(t *testing.T, p *program, name string) (value float64) {
	t.Helper()
	_, body := get(t, p.opsURL+"/metrics")
	for _, line := range strings.Split(body, "\n") {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			_, _ = fmt.Sscan(rest, &value)
		}
	}
	return value
}

// A person signs up where addresses are verified: the letter comes by SMTP, its link opens a page, and then they are let in.
func TestSignUpByMail(t *testing.T) {
	t.Parallel()
	port, letters := mailServer(t)
	data := folder(t)
	p := run(t, []string{fmt.Sprintf("MAIL_URL=smtp://127.0.0.1:%d", port), "REQUIRE_VERIFIED_EMAIL=true"},
		"up", "--addr=127.0.0.1:0", "--ops-addr=", "--data="+data, "--limit-scale=0")
	await(t, p, "up to be ready", func() bool {
		if found := catalogueLine.FindStringSubmatch(p.out.String()); found != nil {
			p.url = found[1]
		}
		return p.url != ""
	})
	registration := &authv1.RegisterRequest{Email: "new@example.org", Password: "correct horse battery", DisplayName: "<b>Neo</b>"}
	for range 2 { // the second time the address is taken, and it does not show
		res, err := p.auth().Register(t.Context(), registration)
		if err != nil || res.String() != "" {
			t.Fatalf("%v, %v", res, err)
		}
	}
	signIn := &authv1.LoginRequest{Email: registration.GetEmail(), Password: registration.GetPassword()}
	if _, err := p.auth().Login(t.Context(), signIn); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Fatalf("before the address is verified: %v", err)
	}
	var token string
	for token == "" {
		select {
		case letter := <-letters:
			if found := linkToken.FindStringSubmatch(letter); found != nil && strings.Contains(letter, "/auth/verify") {
				token = found[1]
			}
		case <-time.After(patience):
			t.Fatalf("no letter came:\n%s", p.out)
		}
	}
	if status, body := get(t, p.url+"/auth/verify?token="+token); status != http.StatusOK || !strings.Contains(body, "<form") {
		t.Errorf("the page: %d\n%s", status, body)
	}
	if _, err := p.auth().VerifyEmail(t.Context(), &authv1.VerifyEmailRequest{Token: token}); err != nil {
		t.Fatalf("looking at the page used the token: %v", err)
	}
	if res, err := p.auth().Login(t.Context(), signIn); err != nil || res.GetTokens() == nil {
		t.Errorf("%v, %v", res, err)
	}
	if strings.Contains(p.out.String(), "new@example.org") || strings.Contains(p.out.String(), token) {
		t.Error("the log tells an address or a token")
	}
}

// mailServer is a real SMTP server; what it gets comes out of the channel, decoded.
func mailServer(t *testing.T) (port int, letters <-chan string) {
	t.Helper()
	interpreter := ""
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import aiosmtpd").Run() == nil {
			interpreter = name
		}
	}
	if interpreter == "" {
		needed(t, "aiosmtpd is not installed: apt-get install python3-aiosmtpd")
	}
	command := exec.Command(interpreter, "../platform/mail/testdata/server.py", "PLAIN")
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = input.Close(); _ = command.Wait() })
	events := json.NewDecoder(out)
	type event struct {
		Event string `json:"event"`
		Port  int    `json:"port"`
		Data  []byte `json:"data"`
	}
	var first event
	if err := events.Decode(&first); err != nil || first.Port == 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	got := make(chan string, 100)
	go func() {
		for {
			var e event
			if events.Decode(&e) != nil {
				return
			}
			if e.Event == "message" {
				got <- decoded(e.Data)
			}
		}
	}()
	return first.Port, got
}
