package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"

	"github.com/mindspace-app/mindspace/console"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

const secretToken = "tok-5eCr3t_value"

// desk is a sign-in service that answers as the test says, and remembers what it was asked.
type desk struct {
	authv1connect.UnimplementedAuthServiceHandler
	err     error
	asked   []string
	address netip.Addr
}

func (d *desk) ask(ctx context.Context, words ...string) error {
	d.asked = append(d.asked, strings.Join(words, " "))
	d.address = identity.RequestFrom(ctx).Address
	return d.err
}

func (d *desk) VerifyEmail(ctx context.Context, req *authv1.VerifyEmailRequest) (*authv1.VerifyEmailResponse, error) {
	return &authv1.VerifyEmailResponse{}, d.ask(ctx, "verify", req.GetToken())
}

func (d *desk) RequestEmailVerification(ctx context.Context, req *authv1.RequestEmailVerificationRequest) (*authv1.RequestEmailVerificationResponse, error) {
	return &authv1.RequestEmailVerificationResponse{}, d.ask(ctx, "mail", req.GetEmail())
}

func (d *desk) RequestPasswordReset(ctx context.Context, req *authv1.RequestPasswordResetRequest) (*authv1.RequestPasswordResetResponse, error) {
	return &authv1.RequestPasswordResetResponse{}, d.ask(ctx, "forgot", req.GetEmail())
}

func (d *desk) ResetPassword(ctx context.Context, req *authv1.ResetPasswordRequest) (*authv1.ResetPasswordResponse, error) {
	return &authv1.ResetPasswordResponse{}, d.ask(ctx, "reset", req.GetToken(), req.GetNewPassword())
}

// request sends a form, or fetches a page when form is nil. Whatever the page is, it is kept nowhere, and the log holds no secret.
func (d *desk) request(t *testing.T, target string, form url.Values, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	var lines bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lines, nil))
	server, err := rpc.NewServer(rpc.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	authv1connect.RegisterAuthServiceHandler(server.Server, d)
	mux := http.NewServeMux()
	if err := console.New(rpc.NewDirectory(server), "v1", logger).Mount(mux); err != nil {
		t.Fatal(err)
	}
	ctx := identity.WithRequest(t.Context(), identity.Request{ID: "r1", Address: netip.MustParseAddr("192.0.2.7")})
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if form != nil {
		req = httptest.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	}
	if header != nil {
		req.Header = header.Clone()
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res := httptest.NewRecorder()
	mux.ServeHTTP(res, req)
	if got := res.Header(); got.Get("Cache-Control") != "no-store" || got.Get("Referrer-Policy") != "strict-origin" {
		t.Errorf("%s: headers %v", target, got)
	}
	for _, secret := range []string{secretToken, "example.org", "plum kettle harbour"} {
		if strings.Contains(lines.String(), secret) {
			t.Errorf("%s: the log holds %q: %s", target, secret, &lines)
		}
	}
	return res
}

func tokenGone() error {
	return fault.Invalid("gone").WithField("token", "is unknown, used or expired").WithReason("TOKEN_UNUSABLE")
}

func refused(reason string) error {
	return fault.Invalid("no").WithFields(fault.Field{Path: "newPassword", Description: planted, Reason: reason})
}

// Programs that look through mails open every link in them.
func TestLinkOfMailUsesNoToken(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/auth/verify", "/auth/reset"} {
		var d desk
		res := d.request(t, path+"?lang=en&token="+secretToken, nil, nil)
		if res.Code != http.StatusOK || len(d.asked) > 0 {
			t.Errorf("%s: status %d, asked %q", path, res.Code, d.asked)
		}
		for _, want := range []string{
			`method="post" action="` + path + `?lang=en"`, `<input type="hidden" name="token" value="` + secretToken + `">`,
			path + `?lang=ru&amp;token=` + secretToken, // the other languages keep it
		} {
			if !strings.Contains(res.Body.String(), want) {
				t.Errorf("%s: no %s in %s", path, want, res.Body)
			}
		}
	}
}

func TestMailLinkForms(t *testing.T) {
	t.Parallel()
	token, email := url.Values{"token": {secretToken}}, url.Values{"email": {"ana@example.org"}}
	both := url.Values{"token": {secretToken}, "password": {"plum kettle harbour"}}
	for name, tt := range map[string]struct {
		path   string
		form   url.Values
		err    error
		asked  string
		status int
		want   string // the address it leads to, or what the page has
	}{
		"verified":         {"/auth/verify", token, nil, "verify " + secretToken, 303, "/auth/verify/done?lang=en"},
		"link used":        {"/auth/verify", token, tokenGone(), "verify " + secretToken, 422, `action="/auth/verify/again?lang=en"`},
		"no token":         {"/auth/verify", url.Values{}, nil, "", 422, `action="/auth/verify/again?lang=en"`},
		"token of address": {"/auth/verify?token=other", url.Values{}, nil, "", 422, `action="/auth/verify/again?lang=en"`},
		"mail again":       {"/auth/verify/again", email, nil, "mail ana@example.org", 303, "/auth/verify/sent?lang=en"},
		"no address": {"/auth/verify/again", url.Values{"email": {"ana"}}, fault.Invalid("x").WithField("email", planted), "mail ana", 422,
			`value="ana" required`},
		"empty address":    {"/auth/reset/request", url.Values{}, nil, "", 422, `aria-invalid="true"`},
		"forgot":           {"/auth/reset/request", email, nil, "forgot ana@example.org", 303, "/auth/reset/sent?lang=en"},
		"reset":            {"/auth/reset", both, nil, "reset " + secretToken + " plum kettle harbour", 303, "/auth/reset/done?lang=en"},
		"reset link used":  {"/auth/reset", both, tokenGone(), "reset " + secretToken + " plum kettle harbour", 422, `action="/auth/reset/request?lang=en"`},
		"password refused": {"/auth/reset", both, refused("PASSWORD_COMMON"), "reset " + secretToken + " plum kettle harbour", 422, `name="token" value="` + secretToken + `"`},
		"no password":      {"/auth/reset", token, nil, "", 422, `name="token" value="` + secretToken + `"`},
		"limit on reset": {"/auth/reset", both, fault.Exhausted("x").WithRetryAfter(1500 * time.Millisecond), "reset " + secretToken + " plum kettle harbour", 429,
			`href="/auth/reset?lang=en&amp;token=` + secretToken + `">Try again`},
		"away":     {"/auth/verify", token, fault.Unavailable("x"), "verify " + secretToken, 503, `href="/auth/verify?lang=en&amp;token=` + secretToken + `">Try again`},
		"broken":   {"/auth/verify", token, errors.New(planted), "verify " + secretToken, 500, `role="alert"`},
		"too long": {"/auth/reset", url.Values{"password": {strings.Repeat("x", 65<<10)}}, nil, "", 400, `role="alert"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := desk{err: tt.err}
			res := d.request(t, tt.path, tt.form, nil)
			body := res.Body.String()
			if res.Code != tt.status || strings.Join(d.asked, "; ") != tt.asked {
				t.Errorf("status %d, want %d; asked %q, want %q", res.Code, tt.status, d.asked, tt.asked)
			}
			if location := res.Header().Get("Location"); location != tt.want && !strings.Contains(body, tt.want) {
				t.Errorf("leads to %q, or no %s in %s", location, tt.want, body)
			}
			if strings.Contains(body, "plum kettle harbour") || strings.Contains(body, "hunter2") {
				t.Errorf("the page tells: %s", body)
			}
			if tt.asked != "" && d.address != netip.MustParseAddr("192.0.2.7") {
				t.Errorf("the service sees the address %v", d.address)
			}
		})
	}
}

func TestLimitSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration][2]string{
		1500 * time.Millisecond: {"2", "снова через 2 сек."}, 61 * time.Minute: {"3660", "снова через 61 мин."}, 0: {"", "чуть позже"},
	} {
		d := desk{err: fault.Exhausted("x").WithRetryAfter(wait)}
		res := d.request(t, "/auth/verify?lang=ru", url.Values{"token": {"x"}}, nil)
		if res.Header().Get("Retry-After") != want[0] || !strings.Contains(res.Body.String(), want[1]) {
			t.Errorf("%s: Retry-After %q, %s", wait, res.Header().Get("Retry-After"), res.Body)
		}
	}
}

func TestMailLinkPagesEscape(t *testing.T) {
	t.Parallel()
	hostile := `"><script>alert(1)</script>`
	for target, form := range map[string]url.Values{
		"/auth/verify?token=" + url.QueryEscape(hostile):            nil,
		"/auth/reset?token=" + url.QueryEscape(hostile):             nil,
		"/auth/reset?lang=" + url.QueryEscape(hostile) + "&token=x": nil,
		"/auth/verify/again": {"email": {hostile}},
		"/auth/reset":        {"token": {hostile}, "password": {hostile}},
	} {
		d := desk{err: fault.Invalid("x").WithField("email", hostile).WithField("newPassword", hostile)}
		body := d.request(t, target, form, nil).Body.String()
		if strings.Contains(body, "<script") || !strings.Contains(body, "<form") {
			t.Errorf("%s: %s", target, body)
		}
	}
}

func TestFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	form := url.Values{"token": {secretToken}, "password": {"plum kettle harbour"}, "email": {"ana@example.org"}}
	for _, path := range []string{"/auth/verify", "/auth/verify/again", "/auth/reset", "/auth/reset/request"} {
		for name, header := range map[string]http.Header{
			"another site": {"Sec-Fetch-Site": {"cross-site"}}, "a sibling": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://example.com"}},
			"an old browser": {"Origin": {"http://evil.example"}}, "a frame": {"Origin": {"null"}},
		} {
			var d desk
			res := d.request(t, path, form, header)
			if res.Code != http.StatusForbidden || len(d.asked) > 0 || strings.Contains(res.Body.String(), secretToken) {
				t.Errorf("%s from %s: status %d, asked %q, %s", path, name, res.Code, d.asked, res.Body)
			}
		}
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"}}, {"Origin": {"http://example.com"}}, nil} {
			var d desk
			if res := d.request(t, path, form, header); res.Code != http.StatusSeeOther || len(d.asked) != 1 {
				t.Errorf("%s with %v: status %d, asked %q", path, header, res.Code, d.asked)
			}
		}
	}
}

// Each page has its own words in each language, and so has each reason why a password is refused.
func TestMailLinkPagesInEachLanguage(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	fresh := func(place, text string) {
		if before := seen[text]; before != "" || text == "" {
			t.Errorf("%s says %q, as does %s", place, text, before)
		}
		seen[text] = place
	}
	for _, language := range []string{"en", "ru", "sr"} {
		for _, path := range []string{"/auth/verify?token=t", "/auth/verify?", "/auth/verify/done?", "/auth/verify/sent?", "/auth/reset?token=t", "/auth/reset?", "/auth/reset/done?", "/auth/reset/sent?"} {
			body := new(desk).request(t, path+"&lang="+language, nil, nil).Body.String()
			if !strings.Contains(body, `<html lang="`+language+`"`) || strings.Contains(body, "<h1></h1>") || strings.Contains(body, "></button>") {
				t.Errorf("%s in %s: %s", path, language, body)
			}
			fresh(path+" "+language, between(body, `<p class="lead"`, "</p>"))
		}
		for _, reason := range []string{"PASSWORD_TOO_SHORT", "PASSWORD_TOO_LONG", "PASSWORD_COMMON", "PASSWORD_GUESSABLE", "PASSWORD_MALFORMED"} {
			d := desk{err: refused(reason)}
			body := d.request(t, "/auth/reset?lang="+language, url.Values{"token": {"t"}, "password": {"x"}}, nil).Body.String()
			fresh(reason+" "+language, between(body, "<span>", "</span>"))
		}
		for _, path := range []string{"/auth/verify", "/auth/reset"} {
			d := desk{err: tokenGone()}
			body := d.request(t, path+"?lang="+language, url.Values{"token": {"t"}, "password": {"x"}}, nil).Body.String()
			fresh(fmt.Sprintf("%s of a used link in %s", path, language), between(body, `role="alert">`, "</p>"))
		}
		body := new(desk).request(t, "/auth/verify?lang="+language, url.Values{}, http.Header{"Sec-Fetch-Site": {"cross-site"}}).Body.String()
		fresh("a foreign form in "+language, between(body, `role="alert">`, "</p>"))
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return html.UnescapeString(strings.TrimSpace(found))
}
