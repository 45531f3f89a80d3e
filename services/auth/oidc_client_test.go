package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestOidcClientSpeaksHTTPS(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://keys.example/", http.StatusFound)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		local        bool
		address, why string
		asked        int32
	}{
		{false, server.URL, "not https", 0},
		{true, server.URL, "", 1},
		{true, "http://keys.example/", "not https", 0},
		{true, server.URL + "/away", "not https", 1},
	} {
		before := asked.Load()
		res, err := newOidcClient(c.local).Get(c.address)
		if err == nil {
			res.Body.Close()
		}
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) || asked.Load()-before != c.asked {
			t.Errorf("%s: %v, asked %d times", c.address, err, asked.Load()-before)
		}
	}
}
