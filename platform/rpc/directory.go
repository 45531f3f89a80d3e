package rpc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/mindspace-app/mindspace/platform/identity"
)

// Directory gives the client of any service by its name. Where the service runs is its secret:
// today always in this process, through the same chain as a call from outside.
//
//	meditations := contentv1connect.NewContentServiceClient(directory.Client(contentv1connect.ContentServiceName))
type Directory struct {
	server *Server
	local  *connect.Client

	mu    sync.Mutex
	asked map[string]bool
}

// NewDirectory returns the directory of the services on server. Clients may be taken before their service is registered.
func NewDirectory(server *Server) *Directory {
	return &Directory{
		server: server,
		local:  connect.NewClient(connectinprocess.New(server.Server), forwarding),
		asked:  map[string]bool{},
	}
}

// Client gives the client for a service, by its full protobuf name.
func (d *Directory) Client(service string) *connect.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[service] = true
	return d.local
}

// Check names the services that someone asked for and nobody registered.
func (d *Directory) Check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	registered := d.server.Services()
	var missing []string
	for service := range d.asked {
		if !slices.Contains(registered, service) {
			missing = append(missing, service)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("services without a home in this process: %s", strings.Join(missing, ", "))
}

// forwarding lets a service act for its caller: the caller's own credential goes along, and is judged again on the other side.
func forwarding(next connect.ClientFunc) connect.ClientFunc {
	return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
		info, ok := connect.CallInfoForClientContext(ctx)
		if credential := identity.CallerFrom(ctx).Credential; ok && credential != "" && !info.RequestHeader().Has("Authorization") {
			info.RequestHeader().Set("Authorization", "Bearer "+credential)
		}
		return next(ctx, spec)
	}
}
