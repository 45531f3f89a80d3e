package app

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/services/content"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// Media says where sound is fetched.
type Media struct {
	// MediaURL is a CDN in front of this installation, or s3 for presigned URLs of the blob store; without one, sound comes from PUBLIC_URL.
	MediaURL string `name:"media-url" env:"MEDIA_URL" help:"Where browsers and apps fetch sound: a CDN in front of this program, for example https://media.example.org, or s3 for the blob store itself; else PUBLIC_URL."`
}

// check names what is wrong, given where the sound is stored.
func (m Media) check(production bool, blobURL string, problem func(setting, format string, args ...any)) {
	switch m.MediaURL {
	case "":
		return
	case content.MediaFromStore:
		if !strings.HasPrefix(blobURL, "s3://") {
			problem("MEDIA_URL", "can only be s3 when BLOB_URL begins with s3://, as no other store signs URLs")
		}
		return
	}
	u, err := url.Parse(m.MediaURL)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != m.MediaURL || u.Scheme != "https" && u.Scheme != "http" {
		problem("MEDIA_URL", "must be a scheme and a host only, for example https://media.example.org, or s3")
	} else if production && u.Scheme != "https" && u.Hostname() != "localhost" {
		problem("MEDIA_URL", "must begin with https://: whoever reads a URL of sound on its way can use it")
	}
}

// practice is the catalogue and what people practise.
type practice struct {
	catalogue *content.Service
	editing   *content.Admin
	sessions  *meditation.Service
	reached   *meditation.Milestones
}

// openPractice makes the catalogue and the practice. A worker publishes, ends sessions and looks for milestones, and asks nobody.
func (a *App) openPractice() {
	catalogue := content.Options{
		Pool: a.pool, Keys: a.keys, Cursors: cursor.New(a.keys), Cache: a.cache, Blobs: a.blobs, Logger: a.logger, Now: time.Now, Encodings: a.encodings,
		PublicURL: a.config.PublicURL, MediaURL: a.config.MediaURL,
	}
	sessions := meditation.Options{
		Pool: a.pool, Keys: a.keys, Queue: a.inserter, Cursors: cursor.New(a.keys), Cache: a.cache, Now: time.Now,
	}
	if a.has(RoleMeditation) {
		users := userv1connect.NewUserServiceClient(a.directory.Client(userv1connect.UserServiceName))
		catalogue.Users, sessions.Users = users, users
		catalogue.Practice = meditationv1connect.NewPracticeServiceClient(a.directory.Client(meditationv1connect.PracticeServiceName))
		sessions.Content = contentv1connect.NewFactsServiceClient(a.directory.Client(contentv1connect.FactsServiceName))
	}
	p := &practice{catalogue: content.New(catalogue), sessions: meditation.New(sessions)}
	p.editing = content.NewAdmin(p.catalogue, a.inserter, audit.New(a.keys))
	p.reached = meditation.NewMilestones(p.sessions)
	a.practice = p
}

// registerPractice adds the services of the meditation role.
func (a *App) registerPractice() {
	contentv1connect.RegisterContentServiceHandler(a.server.Server, a.practice.catalogue)
	contentv1connect.RegisterFactsServiceHandler(a.server.Server, content.NewFacts(a.practice.catalogue))
	contentv1connect.RegisterContentAdminServiceHandler(a.server.Server, a.practice.editing)
	meditationv1connect.RegisterMeditationServiceHandler(a.server.Server, a.practice.sessions)
	meditationv1connect.RegisterPracticeServiceHandler(a.server.Server, meditation.NewPractice(a.practice.sessions))
}

// mountPractice adds the sound.
func (a *App) mountPractice(mux *http.ServeMux) {
	mux.Handle("GET "+content.AudioPath+"{id}", a.practice.catalogue.Handler())
}
