package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"

	"github.com/mindspace-app/mindspace/console"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

const planted = "postgres://root:hunter2@10.1.2.3/prod"

// catalogue is a content service that answers as the test says.
type catalogue struct {
	contentv1connect.UnimplementedContentServiceHandler
	err  error
	page *contentv1.ListMeditationsResponse
}

func (c catalogue) ListMeditations(context.Context, *contentv1.ListMeditationsRequest) (*contentv1.ListMeditationsResponse, error) {
	return c.page, c.err
}

// show fetches a page whose service is the given one, and what was logged meanwhile.
func show(t *testing.T, service catalogue, target string, header http.Header) (status int, body, log string) {
	t.Helper()
	var lines bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lines, nil))
	server, err := rpc.NewServer(rpc.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	contentv1connect.RegisterContentServiceHandler(server.Server, service)
	mux := http.NewServeMux()
	if err := console.New(rpc.NewDirectory(server), "v1+x", logger).Mount(mux); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	req.Header = header
	res := httptest.NewRecorder()
	mux.ServeHTTP(res, req)
	return res.Code, res.Body.String(), lines.String()
}

func TestPageTellsNoErrorText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		logged int
	}{
		"plain error":  {fmt.Errorf("query: %w", errors.New(planted)), http.StatusInternalServerError, 1},
		"fault":        {fault.NotFound("%s", planted), http.StatusNotFound, 0},
		"outage":       {fault.Unavailable("away").WithCause(errors.New(planted)), http.StatusServiceUnavailable, 0},
		"invalid":      {fault.Invalid("%s", planted).WithField("x", planted), http.StatusBadRequest, 0},
		"too slow":     {connect.NewError(connect.CodeDeadlineExceeded, planted), http.StatusServiceUnavailable, 0},
		"limit":        {fault.Exhausted("%s", planted), http.StatusTooManyRequests, 0},
		"not for them": {fault.Denied("%s", planted), http.StatusForbidden, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body, log := show(t, catalogue{err: tt.err}, "/", nil)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if strings.Contains(body, "hunter2") {
				t.Errorf("the page tells: %s", body)
			}
			if !strings.Contains(body, `role="alert"`) || !strings.Contains(body, "<h1>") {
				t.Errorf("no page: %s", body)
			}
			if n := strings.Count(log, "level=ERROR"); n != tt.logged {
				t.Errorf("%d lines logged, want %d: %s", n, tt.logged, log)
			}
		})
	}
}

func TestPageEscapesAndGroups(t *testing.T) {
	t.Parallel()
	page := &contentv1.ListMeditationsResponse{NextPageToken: "a&b", Meditations: []*contentv1.Meditation{
		{Title: "<b>One</b>", Description: `"quoted" & <script>`, CourseId: "c", CourseTitle: "A & B", DurationSeconds: 61, Locale: "en"},
		{Title: "Two", CourseId: "c", CourseTitle: "A & B", DurationSeconds: 60, Locale: "en"},
		{Title: "Alone", DurationSeconds: 600, Locale: "en"},
	}}
	status, body, _ := show(t, catalogue{page: page}, "/", nil)
	if !strings.Contains(body, `/static/page.css?v=v1%2Bx"`) {
		t.Error("the style sheet's address does not name the version")
	}
	if status != http.StatusOK || strings.Contains(body, "<b>One") || strings.Contains(body, "<script>") {
		t.Errorf("status %d, or not escaped: %s", status, body)
	}
	for text, want := range map[string]int{"<h2": 3, "A &amp; B": 1, "2 min": 1, "10 min": 1, "On their own": 1, "page=a%26b": 1} {
		if got := strings.Count(body, text); got != want {
			t.Errorf("%q is there %d times, want %d", text, got, want)
		}
	}
}

func TestLanguageOfThePage(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "en", "ru-RU,ru;q=0.9,en;q=0.8": "ru", "de-DE,sr;q=0.7,en;q=0.3": "sr", "en-GB,ru;q=0.5": "en", "fr": "en", ",;,": "en",
	} {
		_, body, _ := show(t, catalogue{page: &contentv1.ListMeditationsResponse{}}, "/", http.Header{"Accept-Language": {accept}})
		if !strings.Contains(body, `<html lang="`+want+`"`) {
			t.Errorf("Accept-Language %q: want %s", accept, want)
		}
	}
	_, body, _ := show(t, catalogue{page: &contentv1.ListMeditationsResponse{}}, "/?lang=sr", http.Header{"Accept-Language": {"ru"}})
	if !strings.Contains(body, `<html lang="sr"`) {
		t.Error("the choice on the page does not win")
	}
}
