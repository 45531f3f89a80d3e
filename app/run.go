package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/grpcreflect/v2"
	"golang.org/x/sync/errgroup"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/platform/compress"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/gateway"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// Serve runs roles against configured servers until ctx ends.
func Serve(ctx context.Context, config Config, roles []string) error {
	a, err := New(ctx, config, roles)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx)
}

// Run takes the ports and serves until ctx ends, then drains: readiness goes false, requests in flight finish,
// streams are told to reconnect, jobs finish or go back to the queue.
func (a *App) Run(ctx context.Context) error {
	addr := a.config.Addr
	if !a.has(RoleGateway) {
		addr = ""
	}
	l, err := listen(ctx, addr, a.config.OpsAddr, false)
	if err != nil {
		return err
	}
	defer l.close()
	return a.serve(ctx, l)
}

// gcPercent lets the heap grow to four times of what is alive before garbage is collected. Each password is hashed in 19 MiB that are garbage
// afterwards, so a process with little else alive would collect after every second one: a twentieth of its time, measured.
const gcPercent = 300

// serve runs what this process is for on its ports. The first part that fails ends the others.
func (a *App) serve(ctx context.Context, l *listeners) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.cache.Run(ctx) })
	group.Go(func() error { return a.keys.Follow(ctx, a.logger) })
	group.Go(func() error { return a.signIn.revocations.Run(ctx) })
	if l.ops != nil {
		group.Go(func() error { return a.serveOps(ctx, l) })
	}
	if l.public != nil {
		group.Go(func() error { return a.servePublic(ctx, l) })
	}
	if a.has(RoleWorker) {
		group.Go(func() error { return a.work(ctx) })
	}
	a.logger.InfoContext(ctx, "serving", "roles", a.roles, "version", Version(), "environment", a.config.Environment)
	err := group.Wait()
	a.logger.Info("stopped")
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// servePublic serves the public port until ctx ends, then drains it.
func (a *App) servePublic(ctx context.Context, l *listeners) error {
	handler, err := a.publicHandler()
	if err != nil {
		return err
	}
	server := gateway.NewServer(l.public, handler, gateway.ServerConfig{
		Logger: a.logger, NotReady: a.health.StartDrain, DrainDelay: a.config.DrainDelay, EndStreams: a.endStreams,
	})
	return runServer(ctx, server, a.config.DrainDelay+a.config.DrainGrace)
}

// endStreams tells streams to end: those of our services, and watchers of our health.
func (a *App) endStreams() {
	a.drain()
	a.health.EndDrain()
}

func (a *App) serveOps(ctx context.Context, l *listeners) error {
	server := gateway.NewOperationsServer(l.ops, telemetry.OpsHandler(a.metrics), a.logger)
	return runServer(ctx, server, time.Second)
}

// runServer serves until ctx ends, then drains within the grace.
func runServer(ctx context.Context, server *gateway.Server, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return server.Drain(draining, grace)
	}
}

// publicHandler is the public port: what is routed there, within the edge.
func (a *App) publicHandler() (http.Handler, error) {
	mux := http.NewServeMux()
	if err := a.server.MountPublic(mux, compress.All()...); err != nil {
		return nil, err
	}
	a.mountOperations(mux)
	a.mountSignIn(mux)
	a.mountPeople(mux)
	a.mountPractice(mux)
	if err := a.pages.Mount(mux); err != nil {
		return nil, err
	}
	mux.Handle("GET /healthz", a.health.LiveHandler())
	mux.Handle("GET /readyz", a.health.ReadyHandler())
	mux.Handle("/", gateway.NotFound(mux))
	proxies, err := a.config.proxies()
	if err != nil {
		return nil, err
	}
	edge := gateway.Config{
		Logger: a.logger, Registry: a.metrics.Registry(), TrustedProxies: proxies, AllowedOrigins: a.config.AllowedOrigins,
		PerSecond: a.config.AddressPerSecond * a.config.LimitScale, Burst: int(4 * a.config.AddressPerSecond * a.config.LimitScale),
	}
	if a.tracing.Enabled() {
		edge.Propagator = a.tracing.Propagator()
	}
	return gateway.New(edge, mux)
}

// mountOperations serves what tools ask for over gRPC: health everywhere, reflection outside of production.
// They are no part of the contract, so they have a chain of their own, without policy.
func (a *App) mountOperations(mux *http.ServeMux) {
	server := connect.NewServer(fault.Interceptor(a.logger))
	a.health.RegisterGRPC(server)
	if a.config.Environment != Production {
		grpcreflect.Register(server, grpcreflect.WithNamer(grpcreflect.NamerFunc(a.server.Services)))
	}
	connecthttp.Mount(gateway.Procedures(mux), server, connecthttp.WithCompressors(compress.All()...))
}

// work runs background jobs until ctx ends; jobs that run then finish within the grace or go back to the queue.
func (a *App) work(ctx context.Context) error {
	client, err := queue.NewWorker(a.direct, queue.Config{
		Workers: jobs.Workers(jobs.Needs{
			Pool: a.direct, Postman: a.signIn.postman, SigningKeys: a.signIn.keys, Registry: a.people.registry, Erasures: a.people.erasures,
			Exports: a.people.exports, Content: a.practice.editing, Sessions: a.practice.sessions, Milestones: a.practice.reached, Keyring: a.keys, Sealed: sealedColumns(), Logger: a.logger,
		}),
		Periodic: jobs.Periodic(), Logger: a.logger, Registry: a.metrics.Registry(), Tracer: a.tracer(),
	})
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := a.startWorker(ctx, client); err != nil {
		return err
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.DrainGrace+stopSlack)
	defer cancel()
	return queue.Stop(stopping, client, a.config.DrainGrace)
}

const (
	// stopSlack is what a worker may take beyond the grace to put cancelled jobs back.
	stopSlack = 5 * time.Second
	// startRetry is how often a worker looks whether the database has come.
	startRetry = 2 * time.Second
)

// startWorker starts the worker, waiting for a database that is away or not migrated yet.
func (a *App) startWorker(ctx context.Context, client *queue.Client) error {
	for waiting := false; ; waiting = true {
		err := client.Start(context.WithoutCancel(ctx))
		if err == nil {
			return nil
		}
		if !waiting {
			a.logger.WarnContext(ctx, "worker waits for the database", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startRetry):
		}
	}
}
