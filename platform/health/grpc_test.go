package health

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

const service = "mindspace.content.v1.ContentService"

// newGRPC serves the checks, and gives the address and gRPC's own client to them.
func newGRPC(t *testing.T, checks *Checks) (string, healthpb.HealthClient) {
	t.Helper()
	server := connect.NewServer()
	checks.RegisterGRPC(server)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	httpServer := httptest.NewUnstartedServer(mux)
	httpServer.Config.Protocols = new(http.Protocols)
	httpServer.Config.Protocols.SetHTTP1(true)
	httpServer.Config.Protocols.SetUnencryptedHTTP2(true)
	httpServer.Start()
	t.Cleanup(httpServer.Close)
	conn, err := grpc.NewClient("passthrough:///"+httpServer.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return httpServer.URL, healthpb.NewHealthClient(conn)
}

func TestCheckOverGRPC(t *testing.T) {
	t.Parallel()
	var database dependency
	checks := New(Config{Services: []string{service}, CacheFor: time.Nanosecond, Logger: new(logBuffer).logger()})
	checks.Register("database", database.check)
	url, client := newGRPC(t, checks)
	ask := func(name string) healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		response, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil {
			t.Fatal(err)
		}
		return response.GetStatus()
	}
	if ask("") != serving || ask(service) != serving {
		t.Error("it does not serve")
	}
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
	list, err := client.List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil || len(list.GetStatuses()) != 2 || list.GetStatuses()[service].GetStatus() != serving {
		t.Errorf("list: %v, %v", list, err)
	}
	database.set(errors.New("away"))
	if ask("") != notServing || ask(service) != notServing {
		t.Error("it serves without a database")
	}
	database.set(nil)
	if ask("") != serving {
		t.Error("it does not recover")
	}
	checks.StartDrain()
	if ask("") != notServing {
		t.Error("it serves while it drains")
	}
	// And as curl would ask.
	response, err := http.Post(url+"/grpc.health.v1.Health/Check", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if string(body) != `{"status":"NOT_SERVING"}` {
		t.Errorf("as JSON: %s", body)
	}
}

func TestWatchOverGRPC(t *testing.T) {
	t.Parallel()
	checks := New(Config{})
	_, client := newGRPC(t, checks)
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if response, err := watch.Recv(); err != nil || response.GetStatus() != serving {
		t.Fatalf("%v, %v", response, err)
	}
	checks.EndDrain()
	if response, err := watch.Recv(); err != nil || response.GetStatus() != notServing {
		t.Fatalf("%v, %v", response, err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("it ended with %v", err)
	}
}

// watcher is a Watch that tells what it hears and how it ends.
type watcher struct {
	heard chan healthpb.HealthCheckResponse_ServingStatus
	ended chan error
}

func watch(ctx context.Context, checks *Checks, name string) watcher {
	server := connect.NewServer()
	checks.RegisterGRPC(server)
	w := watcher{heard: make(chan healthpb.HealthCheckResponse_ServingStatus, 16), ended: make(chan error, 1)}
	go func() {
		spec := connect.Spec{Procedure: "/grpc.health.v1.Health/Watch", StreamType: connect.StreamTypeServer}
		stream, err := connect.NewClient(connectinprocess.New(server)).CallServerStream(ctx, spec, &healthpb.HealthCheckRequest{Service: name})
		for err == nil {
			var response healthpb.HealthCheckResponse
			if err = stream.Receive(&response); err == nil {
				w.heard <- response.GetStatus()
			}
		}
		w.ended <- err
	}()
	return w
}

// next is what was heard since, when nothing moves any more.
func (w watcher) next() []healthpb.HealthCheckResponse_ServingStatus {
	synctest.Wait()
	var heard []healthpb.HealthCheckResponse_ServingStatus
	for {
		select {
		case status := <-w.heard:
			heard = append(heard, status)
		default:
			return heard
		}
	}
}

func wantHeard(t *testing.T, when string, got []healthpb.HealthCheckResponse_ServingStatus, want ...healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	if len(got) != len(want) || (len(want) == 1 && got[0] != want[0]) {
		t.Errorf("%s: heard %v, want %v", when, got, want)
	}
}

func TestWatchTellsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var database dependency
		checks := New(Config{Services: []string{service}, Logger: new(logBuffer).logger()})
		checks.Register("database", database.check)
		w := watch(t.Context(), checks, service)
		wantHeard(t, "at first", w.next(), serving)
		time.Sleep(10 * defaultCacheFor)
		wantHeard(t, "while nothing changes", w.next())
		database.set(errors.New("away"))
		time.Sleep(2 * defaultCacheFor)
		wantHeard(t, "without a database", w.next(), notServing)
		database.set(nil)
		time.Sleep(2 * defaultCacheFor)
		wantHeard(t, "with it again", w.next(), serving)
		checks.StartDrain()
		wantHeard(t, "at once when the drain starts", w.next(), notServing)
		select {
		case err := <-w.ended:
			t.Errorf("it ended before the drain did: %v", err)
		default:
		}
		checks.EndDrain()
		if err := <-w.ended; connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestWatchersShareOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var database dependency
		checks := New(Config{})
		checks.Register("database", database.check)
		for range 50 {
			watch(t.Context(), checks, "")
		}
		time.Sleep(10*defaultCacheFor + time.Millisecond)
		synctest.Wait()
		if got := database.asked.Load(); got < 9 || got > 11 {
			t.Errorf("50 watchers asked the database %d times in 10 seconds", got)
		}
		checks.EndDrain()
	})
}

func TestWatchOfUnknownService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, New(Config{}), "nobody")
		wantHeard(t, "at first", w.next(), unknown)
		time.Sleep(10 * defaultCacheFor)
		wantHeard(t, "later", w.next())
		cancel()
		if err := <-w.ended; err == nil {
			t.Error("it did not end with its caller")
		}
	})
}
