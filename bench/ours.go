package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/mindspace-app/mindspace/app"
	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

// probe has the empty method: what it costs is what the edge and the chain cost.
type probe struct {
	probev1connect.UnimplementedProbeServiceHandler
}

func (probe) Empty(context.Context, *probev1.EmptyRequest) (*probev1.EmptyResponse, error) {
	return &probev1.EmptyResponse{}, nil
}

// serveOurs is the program as `mindspace serve` runs it, with the probe service beside its own, and limits that are counted but not reached.
func serveOurs(ctx context.Context, address, usageAddress string) error {
	config := app.Config{
		Environment: app.Demo, DatabaseURL: os.Getenv("DATABASE_URL"), RedisURL: os.Getenv("REDIS_URL"), BlobURL: "mem://",
		DatabaseMaxConns: 16, KeysFile: os.Getenv("KEYRING_FILE"), Addr: address, OpsAddr: os.Getenv("BENCH_OPS_ADDR"), LimitScale: 10_000, AddressPerSecond: 1e9, DrainGrace: 5 * time.Second, LogLevel: "info", LogFormat: "json",
	}
	running, err := app.New(ctx, config, []string{"gateway", "auth", "user", "meditation"}, func(s *rpc.Server) {
		probev1connect.RegisterProbeServiceHandler(s.Server, probe{})
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage", usage)
	go func() { _ = serve(ctx, usageAddress, mux) }()
	return running.Run(ctx)
}

// servePlain is Connect without anything of ours around it: what is left between it and the bare limit is Connect's own.
func servePlain(ctx context.Context, address string) error {
	server := connect.NewServer()
	probev1connect.RegisterProbeServiceHandler(server, probe{})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	mux.HandleFunc("GET /usage", usage)
	return serve(ctx, address, mux)
}
