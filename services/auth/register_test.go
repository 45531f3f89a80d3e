package auth_test

import (
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestRegisterSignsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{
		Email: " Ana@EXAMPLE.org ", Password: goodPassword, DisplayName: "Ana", Locale: "sr-Latn", TimeZone: "Europe/Belgrade", Device: "phone",
	})
	if err != nil {
		t.Fatal(err)
	}
	who := r.personOf(res.GetTokens())
	if who.GetUserId() != res.GetUserId() || len(who.GetRoles()) != 0 {
		t.Errorf("registered %s, signed in as %v", res.GetUserId(), who)
	}
	if id, err := uuid.Parse(res.GetUserId()); err != nil || id.Version() != 7 {
		t.Errorf("id %q: %v", res.GetUserId(), err)
	}
	methods := r.methods(res.GetTokens())
	if methods.GetEmail() != "ana@example.org" || methods.GetEmailVerified() || !methods.GetPassword() || methods.GetTotp() {
		t.Errorf("methods: %v", methods)
	}
	if got := r.column("SELECT locale || ' ' || time_zone || ' ' || state || ' ' || demo FROM auth.accounts"); got[0] != "sr Europe/Belgrade active false" {
		t.Errorf("kept as %q", got[0])
	}
	letters := r.deliver("ana@example.org")
	if len(letters) != 1 || !strings.Contains(letters[0].Text, "/auth/verify?token=") {
		t.Errorf("%d letters", len(letters))
	}
}

// The writings of one mailbox are one account.
func TestRegisterTakenAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@b\u00fccher.example")
	r.deliver("ana@xn--bcher-kva.example")
	for _, email := range []string{"ana@b\u00fccher.example", "ANA@B\u00dcCHER.example", "ana@bu\u0308cher.example", "\tana@XN--bcher-kva.EXAMPLE"} {
		res, err := r.client.Register(t.Context(), &authv1.RegisterRequest{Email: email, Password: "another good one"})
		refused(t, email, err, connect.CodeAlreadyExists, "EMAIL_TAKEN")
		if wrongField(err) != "email" || res.GetUserId() != "" || res.GetTokens() != nil {
			t.Errorf("%s: field %q, %v", email, wrongField(err), res)
		}
	}
	if n := len(r.column("SELECT id::text FROM auth.accounts")); n != 1 {
		t.Errorf("there are %d accounts", n)
	}
	if jobs := r.column("SELECT kind FROM river.river_job"); len(jobs) != 0 {
		t.Errorf("a refusal left %v in the queue", jobs)
	}
	r.login("ana@b\u00fccher.example")
}

// Where addresses are verified, neither the answer nor the work tells whether an address has an account.
func TestRegisterTellsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, verifiedOnly)
	for i, want := range []string{"auth_account_registered", "auth_registration_repeated", "auth_registration_repeated"} {
		res, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{Email: "ana@example.org", Password: goodPassword, DisplayName: "Mallory"})
		if err != nil || !proto.Equal(res, &authv1.RegisterResponse{}) {
			t.Errorf("time %d: %v, %v", i, res, err)
		}
		if jobs := strings.Join(r.column("SELECT kind FROM river.river_job"), " "); jobs != want {
			t.Errorf("time %d: jobs %q, want %s", i, jobs, want)
		}
		letters := r.deliver("ana@example.org")
		if len(letters) != 1 {
			t.Fatalf("time %d: %d letters", i, len(letters))
		}
		letter := letters[0].Text + letters[0].HTML
		if hasToken := linkToken.MatchString(letter); hasToken != (i == 0) || strings.Contains(letter, "Mallory") {
			t.Errorf("time %d: the letter is\n%s", i, letters[0].Text)
		}
		if i > 0 && !strings.Contains(letter, "/auth/reset") {
			t.Errorf("time %d: the owner is not told how to go on:\n%s", i, letters[0].Text)
		}
	}
	if n := len(r.column("SELECT id::text FROM auth.sessions")); n != 0 {
		t.Errorf("%d sessions were begun", n)
	}
}

func TestRegisterRace(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]func(*auth.Options){"open": nil, "verified only": {verifiedOnly}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			installation, open := newShared(t), len(changes) == 0
			processes := []*rig{installation.process(t, changes...), installation.process(t, changes...)}
			var all sync.WaitGroup
			var mu sync.Mutex
			signedIn := 0
			for i := range 20 {
				all.Go(func() {
					email := []string{"ana@example.org", "ANA@example.ORG"}[i/2%2]
					res, err := processes[i%2].client.Register(t.Context(), &authv1.RegisterRequest{Email: email, Password: goodPassword})
					if open && err != nil {
						refused(t, "another one", err, connect.CodeAlreadyExists, "EMAIL_TAKEN")
					} else if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if res.GetTokens() != nil {
						signedIn++
					}
				})
			}
			all.Wait()
			if open != (signedIn == 1) || !open && signedIn != 0 {
				t.Errorf("%d were signed in", signedIn)
			}
			if n := len(processes[0].column("SELECT id::text FROM auth.accounts")); n != 1 {
				t.Errorf("there are %d accounts", n)
			}
			if n := len(processes[0].column("SELECT kind FROM river.river_job WHERE kind = 'auth_account_registered'")); n != 1 {
				t.Errorf("%d accounts were announced", n)
			}
		})
	}
}

func TestRegisterRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := func(change func(*authv1.RegisterRequest)) *authv1.RegisterRequest {
		req := &authv1.RegisterRequest{Email: "ana@example.org", Password: goodPassword, DisplayName: "Ana Novak", TimeZone: "Europe/Belgrade"}
		change(req)
		return req
	}
	for name, c := range map[string]struct {
		change        func(*authv1.RegisterRequest)
		field, reason string
	}{
		"no e-mail":         {func(q *authv1.RegisterRequest) { q.Email = "" }, "email", ""},
		"320 characters":    {func(q *authv1.RegisterRequest) { q.Email = strings.Repeat("a", 64) + "@" + strings.Repeat("b", 255) }, "email", "EMAIL_INVALID"},
		"2000 characters":   {func(q *authv1.RegisterRequest) { q.Email = strings.Repeat("a", 2000) + "@example.org" }, "email", ""},
		"a Cyrillic a":      {func(q *authv1.RegisterRequest) { q.Email = "\u0430na@example.org" }, "email", "EMAIL_INVALID"},
		"null in e-mail":    {func(q *authv1.RegisterRequest) { q.Email = "ana\x00@example.org" }, "email", "EMAIL_INVALID"},
		"no part before":    {func(q *authv1.RegisterRequest) { q.Email = "@example.org" }, "email", "EMAIL_INVALID"},
		"no part after":     {func(q *authv1.RegisterRequest) { q.Email = "ana@" }, "email", "EMAIL_INVALID"},
		"no password":       {func(q *authv1.RegisterRequest) { q.Password = "" }, "password", ""},
		"short":             {func(q *authv1.RegisterRequest) { q.Password = "nine char" }, "password", "PASSWORD_TOO_SHORT"},
		"long":              {func(q *authv1.RegisterRequest) { q.Password = strings.Repeat("many good ones ", 9) }, "password", "PASSWORD_TOO_LONG"},
		"common":            {func(q *authv1.RegisterRequest) { q.Password = "password1234" }, "password", "PASSWORD_COMMON"},
		"a pattern":         {func(q *authv1.RegisterRequest) { q.Password = "abcdefghijkl" }, "password", "PASSWORD_GUESSABLE"},
		"the name":          {func(q *authv1.RegisterRequest) { q.Password = "ana.novak-1999" }, "password", "PASSWORD_GUESSABLE"},
		"the address":       {func(q *authv1.RegisterRequest) { q.Password = "ana@example.org" }, "password", "PASSWORD_GUESSABLE"},
		"null in password":  {func(q *authv1.RegisterRequest) { q.Password = goodPassword + "\x00" }, "password", "PASSWORD_MALFORMED"},
		"a long name":       {func(q *authv1.RegisterRequest) { q.DisplayName = strings.Repeat("a", 101) }, "displayName", ""},
		"a locale":          {func(q *authv1.RegisterRequest) { q.Locale = "xx" }, "locale", ""},
		"no zone":           {func(q *authv1.RegisterRequest) { q.TimeZone = "Mars/Olympus" }, "timeZone", "TIME_ZONE_UNKNOWN"},
		"the server's zone": {func(q *authv1.RegisterRequest) { q.TimeZone = "Local" }, "timeZone", "TIME_ZONE_UNKNOWN"},
		"a path":            {func(q *authv1.RegisterRequest) { q.TimeZone = "../../etc/passwd" }, "timeZone", "TIME_ZONE_UNKNOWN"},
		"a folder":          {func(q *authv1.RegisterRequest) { q.TimeZone = "Europe" }, "timeZone", "TIME_ZONE_UNKNOWN"},
		"null in zone":      {func(q *authv1.RegisterRequest) { q.TimeZone = "Europe/Belgrade\x00" }, "timeZone", "TIME_ZONE_UNKNOWN"},
		"an offset":         {func(q *authv1.RegisterRequest) { q.TimeZone = "+02:00" }, "timeZone", "TIME_ZONE_UNKNOWN"},
	} {
		_, err := r.client.Register(t.Context(), good(c.change))
		if c.reason != "" {
			refused(t, name, err, connect.CodeInvalidArgument, c.reason)
		} else if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
		if got := wrongField(err); got != c.field {
			t.Errorf("%s: field %q, want %s (%v)", name, got, c.field, err)
		}
	}
	if n := len(r.column("SELECT id::text FROM auth.accounts")); n != 0 {
		t.Errorf("there are %d accounts", n)
	}
	if _, err := r.client.Register(t.Context(), good(func(*authv1.RegisterRequest) {})); err != nil {
		t.Errorf("what is varied above is refused itself: %v", err)
	}
}

// What people type into names is kept, on one line, and is never markup in a letter.
func TestNamesAreText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for typed, kept := range map[string]string{
		`<script>alert(1)</script>`:              `<script>alert(1)</script>`,
		`Robert'); DROP TABLE accounts; --`:      `Robert'); DROP TABLE accounts; --`,
		`{{.Token}} %s %[1]d ${x}`:               `{{.Token}} %s %[1]d ${x}`,
		"Ana\r\nBcc: bob@example.org":            "Ana Bcc: bob@example.org",
		"  A\x00n\x07a\t\u202eNovak\u200b ":      "A n a Novak",
		"\u0410\u043d\u043d\u0430 \u6797 \u00d1": "\u0410\u043d\u043d\u0430 \u6797 \u00d1",
		"\n\n":                                   "",
	} {
		email := uuid.NewString() + "@example.org"
		res, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{Email: email, Password: goodPassword, DisplayName: typed, Device: typed})
		if err != nil {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		if got := r.column("SELECT display_name FROM auth.accounts WHERE id = $1", res.GetUserId()); got[0] != kept {
			t.Errorf("%q is kept as %q, want %q", typed, got[0], kept)
		}
		list, err := r.as(res.GetTokens()).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
		if err != nil || list.GetSessions()[0].GetDevice() != kept {
			t.Errorf("%q is shown as a device as %v, %v", typed, list, err)
		}
		// The letter about a new device greets by name and tells the device.
		r.exec("UPDATE auth.accounts SET email_verified_at = now() WHERE id = $1", res.GetUserId())
		if _, err := r.client.Login(r.from("198.51.100.1"), &authv1.LoginRequest{Email: email, Password: goodPassword, Device: typed}); err != nil {
			t.Fatal(err)
		}
		letters := r.deliver(email)
		if len(letters) == 0 {
			t.Fatalf("%q: no letter", typed)
		}
		for _, letter := range letters {
			if strings.Contains(letter.HTML, "<script") || strings.Contains(letter.Text, "\nBcc:") || strings.ContainsAny(letter.Subject, "\r\n") || strings.ContainsAny(letter.Text, "\x00\u202e") {
				t.Errorf("%q is in a letter:\n%s\n%s", typed, letter.Subject, letter.HTML)
			}
		}
	}
}

// column gives the only column of a query's rows, as text.
func (r *rig) column(query string, args ...any) []string {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), query, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			r.t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return values
}
