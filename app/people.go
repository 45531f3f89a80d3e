package app

import (
	"net/http"
	"time"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/user"
)

// people is what a process has of persons' own data.
type people struct {
	service  *user.Service
	admin    *user.Admin
	exports  *user.Exports
	registry *personal.Registry
	erasures *auth.Erasures
}

// openPeople wires the user domain, and what is done about a person in every domain. Each domain that holds something about persons stands in
// the registry here; what refers to accounts before what holds them.
func (a *App) openPeople() error {
	ages, err := a.config.ages()
	if err != nil {
		return err
	}
	p, options := &people{}, user.Options{
		Pool: a.pool, Keys: a.keys, Queue: a.inserter, Cursors: cursor.New(a.keys), Blobs: a.blobs, Cache: a.cache, Logger: a.logger, Now: time.Now,
		Encodings: a.encodings, PublicURL: a.config.PublicURL, Ages: ages,
	}
	if a.has(RoleUser) { // a worker exports and erases, and asks nobody
		options.Practice = meditationv1connect.NewPracticeServiceClient(a.directory.Client(meditationv1connect.PracticeServiceName))
		options.Accounts = authv1connect.NewAccountServiceClient(a.directory.Client(authv1connect.AccountServiceName))
	}
	p.service = user.New(options)
	if a.has(RoleUser) {
		p.admin = user.NewAdmin(p.service, authv1connect.NewAccountAdminServiceClient(a.directory.Client(authv1connect.AccountAdminServiceName)), audit.New(a.keys))
	}
	p.registry = personal.NewRegistry(rpc.Personal(), p.service.Personal(), a.practice.catalogue.Personal(), a.practice.sessions.Personal(), audit.Personal(), auth.Personal())
	p.exports = user.NewExports(p.service, p.registry)
	p.erasures = auth.NewErasures(a.signIn.service, p.registry, a.blobs, a.redis, a.signIn.postman)
	a.people = p
	return nil
}

// mountPeople serves the files of exports to their owners.
func (a *App) mountPeople(mux *http.ServeMux) {
	mux.Handle("GET "+user.ExportPath+"{id}", a.people.exports.Handler(a.signIn.authenticator.Authenticate))

}

// registerPeople serves the methods.
func (a *App) registerPeople() {
	userv1connect.RegisterUserServiceHandler(a.server.Server, a.people.service)
	userv1connect.RegisterUserAdminServiceHandler(a.server.Server, a.people.admin)
}
